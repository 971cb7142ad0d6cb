import { flushCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../kernel/config/config.ts';

/** sysexits(3) EX_USAGE and EX_CONFIG. */
const EX_USAGE = 64;
const EX_CONFIG = 78;

/** `gantry controller|agent --config FILE`: serves until TERM. With `--warm` it only compiles itself into the cache. */
export async function runService(role: 'controller' | 'agent', args: string[]): Promise<void> {
  const { config: file, warm = false } = options(args);
  if (file === undefined) {
    process.stderr.write(`usage: gantry ${role} --config FILE\n`);
    process.exitCode = EX_USAGE;
    return;
  }
  try {
    await start[role](file, warm);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EX_CONFIG;
  }
}

const start = {
  async controller(file: string, warm: boolean): Promise<void> {
    const { serviceSections } = await import('../cloud-config.ts');
    const { runController } = await import('../controller.ts');
    // Kept now: the controller gives up the right to write there.
    flushCompileCache();
    if (warm) return;
    await runController(loadConfig({ file, sections: serviceSections }));
  },
  async agent(file: string, warm: boolean): Promise<void> {
    const { runAgent } = await import('../agent.ts');
    if (warm) return;
    // the services' sections are the controller's
    await runAgent(loadConfig({ file, other_sections: 'ignore' }));
  },
};

function options(args: string[]): { config?: string | undefined; warm?: boolean | undefined } {
  try {
    return parseArgs({ args, options: { config: { type: 'string' }, warm: { type: 'boolean' } } }).values;
  } catch {
    return {};
  }
}
