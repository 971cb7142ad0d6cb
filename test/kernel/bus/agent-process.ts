/** An agent in a process of its own, to be killed: `agent-process.ts PORT DIR`. */
import { join } from 'node:path';
import { connectToController } from '../../../src/kernel/bus/agent-link.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { TOKEN } from './fixtures.ts';

const [port, dir = ''] = process.argv.slice(2);
connectToController({
  url: `ws://127.0.0.1:${port}`,
  identityFile: join(dir, 'child.json'),
  joinToken: TOKEN,
  hostname: 'child',
  roles: ['compute'],
  log: silentLog,
  handlers: { ok: () => 'ok', never: () => new Promise(() => {}) },
});
process.on('disconnect', () => process.exit(1));
