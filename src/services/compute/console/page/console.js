// The page of a console: one terminal, three ways to fill it. Runs in browsers, served as it is.
import { FitAddon } from './addon-fit.mjs';
import { Terminal } from './xterm.mjs';

const PROTOCOL = 'gantry.console.v1';
const CLOSED_FOR_GOOD = { 4401: 'expired', 4403: 'refused', 4429: 'refused' };
const MODES = { exec: 'shell', attach: 'main process', log: 'log' };
const MAX_PASTE = 64 * 1024;
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;

const query = new URLSearchParams(location.search);
const token = query.get('token') ?? '';
const byId = (id) => document.getElementById(id);
const terminal = new Terminal({ cursorBlink: true, scrollback: 10_000, screenReaderMode: query.get('screenreader') === '1', fontFamily: 'ui-monospace, Menlo, Consolas, monospace', theme: { background: '#101418' } });
const fit = new FitAddon();
const state = { mode: query.get('mode') in MODES ? query.get('mode') : 'exec', socket: undefined, opened: undefined, failures: 0, timer: undefined, ended: false, generation: 0 };

terminal.loadAddon(fit);
terminal.open(byId('terminal'));
fit.fit();

function say(text, kind = 'info') {
  byId('state').textContent = text;
  byId('state').dataset.kind = kind;
}

function note(text) {
  terminal.write(`\r\n\x1b[2m── ${text} ──\x1b[0m\r\n`);
}

function send(message) {
  if (state.socket?.readyState === WebSocket.OPEN && state.opened) state.socket.send(message);
}

function connect() {
  clearTimeout(state.timer);
  const generation = ++state.generation;
  state.opened = undefined;
  state.ended = false;
  state.socket?.close();
  const url = new URL(location.pathname, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('token', token);
  const socket = new WebSocket(url, [PROTOCOL]);
  socket.binaryType = 'arraybuffer';
  state.socket = socket;
  say('connecting …');
  const mine = (handler) => (event) => generation === state.generation && handler(event);
  socket.addEventListener('open', mine(() => {
    const size = { cols: terminal.cols, rows: terminal.rows };
    // after a break the log is on the screen already
    socket.send(JSON.stringify({ open: { mode: state.mode, size, tty: true, tail: 500 } }));
  }));
  socket.addEventListener('message', mine(({ data }) => (typeof data === 'string' ? hear(JSON.parse(data)) : show(new Uint8Array(data)))));
  socket.addEventListener('close', mine(closed));
}

function show(bytes) {
  terminal.write(bytes.subarray(1));
}

function hear(word) {
  if (word.opened) {
    state.opened = word.opened;
    state.failures = 0;
    const { server, tty, input } = word.opened;
    document.title = `${server.name} – console`;
    byId('server').textContent = server.name;
    terminal.options.convertEol = !tty;
    terminal.options.disableStdin = !input;
    say(input ? 'connected' : 'connected, read only', 'good');
  } else if (word.error) {
    note(word.error.message);
    state.error = word.error;
  } else if (word.skipped) note(`${word.skipped} bytes came faster than they could be shown`);
  else if (word.exit) {
    state.ended = true;
    const { code } = word.exit;
    if (state.mode === 'exec') note(code === 126 || code === 127 ? 'the image of this server has no shell: look at its log or its main process' : `the shell has ended${code === null ? '' : ` with ${code}`}`);
    else note('the server has stopped or is restarting');
  }
}

function closed({ code, reason }) {
  byId('again').hidden = false;
  if (CLOSED_FOR_GOOD[code]) {
    const help = code === 4401 ? ' Ask for a new one: openstack console url show SERVER' : '';
    say(`${reason || 'refused'}${help}`, 'bad');
    note(`${reason || 'refused'}${help}`);
    return;
  }
  if (code === 4408) return say(reason, 'bad');
  if (state.ended && state.mode === 'exec') return say('ended', 'info');
  const wait = Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** state.failures);
  state.failures += 1;
  say(`${reason || 'the connection is lost'} – trying again`, 'bad');
  state.timer = setTimeout(connect, wait / 2 + (Math.random() * wait) / 2);
}

function choose(mode) {
  state.mode = mode;
  for (const button of document.querySelectorAll('button[data-mode]')) button.setAttribute('aria-pressed', String(button.dataset.mode === mode));
  terminal.reset();
  connect();
  terminal.focus();
}

terminal.onData((text) => {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += MAX_PASTE) send(bytes.subarray(at, at + MAX_PASTE));
});
terminal.onBinary((text) => send(Uint8Array.from(text, (char) => char.charCodeAt(0))));
terminal.onResize(({ cols, rows }) => send(JSON.stringify({ resize: { cols, rows } })));
new ResizeObserver(() => fit.fit()).observe(byId('terminal'));
for (const button of document.querySelectorAll('button[data-mode]')) button.addEventListener('click', () => choose(button.dataset.mode));
byId('again').addEventListener('click', () => {
  state.failures = 0;
  connect();
  terminal.focus();
});
addEventListener('online', () => state.socket?.readyState === WebSocket.CLOSED && !state.ended && connect());
choose(state.mode);
