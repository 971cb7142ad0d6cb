import { flushCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../kernel/config/config.ts';

/** sysexits(3) EX_USAGE and EX_CONFIG. */
const EX_USAGE = 64;
const EX_CONFIG = 78;

/** `gantry controller|agent --config FILE`: serves until TERM. */
export async function runService(role: 'controller' | 'agent', args: string[]): Promise<void> {
  const file = configFile(args);
  if (file === undefined) {
    process.stderr.write(`usage: gantry ${role} --config FILE\n`);
    process.exitCode = EX_USAGE;
    return;
  }
  try {
    await start[role](file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EX_CONFIG;
  }
}

const start = {
  async controller(file: string): Promise<void> {
    const { serviceSections } = await import('../cloud-config.ts');
    const { runController } = await import('../controller.ts');
    // Kept now: the controller gives up the right to write there.
    flushCompileCache();
    await runController(loadConfig({ file, sections: serviceSections }));
  },
  async agent(file: string): Promise<void> {
    const { runAgent } = await import('../agent.ts');
    await runAgent(loadConfig({ file, other_sections: 'ignore' }));
  },
};

function configFile(args: string[]): string | undefined {
  try {
    return parseArgs({ args, options: { config: { type: 'string' } } }).values.config;
  } catch {
    return undefined;
  }
}
