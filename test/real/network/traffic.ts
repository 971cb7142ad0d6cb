import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import type { Guest, Ran } from './world.ts';

export interface Listener {
  stop(): void;
}

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

function start(where: Guest, argv: string[]): ChildProcess {
  const child = spawn('nsenter', [`--net=/run/netns/${where.namespace}`, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

const SERVER = `
import socket, sys
kind, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if kind.endswith('6') else socket.AF_INET
udp = kind.startswith('udp')
s = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind(('::' if kind.endswith('6') else '0.0.0.0', port))
if not udp: s.listen(16)
print('ready', flush=True)
while True:
    if udp:
        data, peer = s.recvfrom(2048); s.sendto(data, peer); continue
    c, peer = s.accept()
    while True:
        data = c.recv(2048)
        if not data: break
        c.sendall(data)
    c.close()
`;

/** `tcp 80`, `udp 53`, `tcp6 80`, `echo 80`: answers what it hears; resolves when it listens. */
export async function listen(where: Guest, spec: string): Promise<Listener> {
  const [kind = '', port = ''] = spec.split(' ');
  const child = start(where, ['python3', '-u', '-c', SERVER, kind, port]);
  const stdout = child.stdout;
  if (stdout === null) throw new Error('no output of the listener');
  await Promise.race([once(stdout, 'data'), once(child, 'exit').then(() => Promise.reject(new Error(`listener ${spec} ended`)))]);
  return { stop: () => void child.kill('SIGKILL') };
}

const CLIENT = `
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
s.settimeout(1.2)
try:
    s.connect((host, port)); s.send(b'hello'); sys.exit(0 if s.recv(16) == b'hello' else 1)
except OSError:
    sys.exit(1)
`;

/** `tcp ADDRESS PORT` or `udp ADDRESS PORT`: sent and answered. */
export async function reaches(from: Guest, spec: string): Promise<boolean> {
  const child = start(from, ['python3', '-c', CLIENT, ...spec.split(' ')]);
  const [code] = (await once(child, 'exit')) as [number];
  return code === 0;
}

const STREAM = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
s.settimeout(1.5)
print('open', flush=True)
for line in sys.stdin:
    try:
        s.sendall(line.encode()); print('heard' if s.recv(64) else 'closed', flush=True)
    except OSError:
        print('lost', flush=True)
`;

export interface Stream {
  /** True when the other end echoed it. */
  says(text: string): Promise<boolean>;
  stop(): void;
}

/** A TCP connection that stays open. */
export async function openStream(from: Guest, host: string, port: number): Promise<Stream> {
  const child = start(from, ['python3', '-u', '-c', STREAM, host, `${port}`]);
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes to the stream');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== 'open') throw new Error(`no connection to ${host}:${port}`);
  const stdin = child.stdin;
  return {
    async says(text) {
      stdin.write(`${text}\n`);
      return (await lines.next()).value === 'heard';
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

const PREAMBLE = `
import socket, struct, sys
def mac(t): return bytes(int(x, 16) for x in t.split(':'))
def csum(b):
    if len(b) % 2: b += b'\\0'
    s = sum(struct.unpack('!%dH' % (len(b)//2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
def ip4(src, dst, proto, body):
    h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20+len(body), 1, 0, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return h[:10] + struct.pack('!H', csum(h)) + h[12:] + body
def ip6(src, dst, nxt, body):
    return struct.pack('!IHBB16s16s', 6 << 28, len(body), nxt, 255, socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)) + body
def l4(src, dst, proto, body, at):
    fam = socket.AF_INET6 if ':' in src else socket.AF_INET
    a = socket.inet_pton(fam, src) + socket.inet_pton(fam, dst)
    c = csum(a + struct.pack('!II', len(body), proto) + body)
    return body[:at] + struct.pack('!H', c) + body[at+2:]
def udp(src, dst, sport, dport, data=b'x'):
    return l4(src, dst, 17, struct.pack('!HHHH', sport, dport, 8+len(data), 0) + data, 6)
def icmp6(src, dst, kind, rest):
    return l4(src, dst, 58, struct.pack('!BBH', kind, 0, 0) + rest, 2)
def ether(src, dst, kind, body): return mac(dst) + mac(src) + struct.pack('!H', kind) + body
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('eth0', 0))
`;

/** Runs Python lines that can build frames (`ether`, `ip4`, `ip6`, `udp`, `icmp6`) and send them with `s.send`. */
export async function python(where: Guest, lines: string): Promise<Ran> {
  const child = start(where, ['python3', '-c', PREAMBLE + lines]);
  let out = '';
  child.stdout?.on('data', (text) => {
    out += String(text);
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, out };
}

export interface Syn {
  src_mac: string;
  dst_mac: string;
  src: string;
  dst: string;
  dport: number;
}

/** A SYN by a packet socket: `answer` when a SYN/ACK came back, else `silence`. */
export async function sendSyn(from: Guest, syn: Syn): Promise<string> {
  const { out } = await python(
    from,
    `
tcp = l4('${syn.src}', '${syn.dst}', 6, struct.pack('!HHIIBBHHH', 40000, ${syn.dport}, 1, 0, 0x50, 2, 1024, 0, 0), 16)
s.settimeout(1)
s.send(ether('${syn.src_mac}', '${syn.dst_mac}', 0x0800, ip4('${syn.src}', '${syn.dst}', 6, tcp)))
try:
    while True:
        f = s.recv(2048)
        if f[12:14] == b'\\x08\\x00' and f[23] == 6 and f[34:36] == struct.pack('!H', ${syn.dport}) and f[47] == 0x12: print('answer'); break
except OSError: print('silence')
`,
  );
  return out;
}

const WATCH = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('eth0', 0))
print('ready', flush=True)
while True:
    f = s.recv(4096)
    if b'end-of-watch' in f: break
    print(f.hex(), flush=True)
print('end', flush=True)
`;

/**
 * All frames that a guest sees while `work` runs, as hex. `last` has to send it a frame that passes and holds
 * `end-of-watch`, so that nothing sent before can still be under way.
 */
export async function watch(where: Guest, work: () => Promise<void>, last: () => Promise<void>): Promise<string[]> {
  const child = start(where, ['python3', '-u', '-c', WATCH]);
  if (child.stdout === null) throw new Error('no output of the watcher');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  await lines.next();
  const frames: string[] = [];
  try {
    await work();
    await last();
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true || value === 'end') return frames;
      frames.push(value);
    }
  } finally {
    child.kill('SIGKILL');
  }
}
