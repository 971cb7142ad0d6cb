/** A converter whose upload never ends; says so when its first bytes have come, and waits to be killed. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { createDiskConverter } from '../../../src/agents/compute/disk/convert-disk.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';

const [directory, path] = process.argv.slice(2) as [string, string];
const bytes = readFileSync(path);
const image = { id: randomUUID(), digest: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, container_format: 'bare', disk_format: 'raw' };
const converter = createDiskConverter({
  directory,
  log: silentLog,
  transport: {
    fetch: async () => createReadStream(path),
    async upload(_ref, body) {
      body.once('data', () => {
        body.pause();
        process.stdout.write('reading\n');
      });
      return await new Promise(() => {});
    },
  },
});
setInterval(() => {}, 1000);
await converter.convert({ image, limits: { virtual_bytes: 2 ** 30, root_bytes: 2 ** 30, seconds: 60 } }, () => {});
