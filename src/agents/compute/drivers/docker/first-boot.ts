/** What a guest is given before its first process, and what is done in it right after. Once per container: a rebuild makes a new one. */
import type { GuestSpec, InjectedFile } from '../../protocol.ts';
import { bootScript, SCRIPT_PATH } from '../../user-data/boot-script.ts';
import type { DriverContext } from './driver-context.ts';
import { injectionArchive } from './inject.ts';
import { hasCloudInit, loginUser } from './login-user.ts';

export interface FirstBoot {
  /** Undefined: nothing to put into it. */
  files: Buffer | undefined;
  /** Whether the script is among them. */
  script: boolean;
}

export async function firstBoot(ctx: DriverContext, containerId: string, spec: GuestSpec): Promise<FirstBoot> {
  const user = await loginUser(ctx.engine, containerId, spec);
  // Nothing can be put into a file system that is only read.
  const own = spec.user_data === undefined || spec.options?.read_only === true || (await hasCloudInit(ctx.engine, containerId)) ? undefined : bootScript(Buffer.from(spec.user_data, 'base64'), user.name);
  const script: InjectedFile[] = own === undefined ? [] : [{ path: SCRIPT_PATH, content: Buffer.from(own).toString('base64'), mode: 0o700 }];
  return { files: injectionArchive({ files: [...spec.files, ...script], ssh_keys: spec.ssh_keys, ...(spec.options && { options: spec.options }) }, user, ctx.clock.now()), script: own !== undefined };
}

/** Begins the script beside the guest's own process; it tells of itself on the console. */
export async function runUserData(ctx: DriverContext, containerId: string, serverId: string): Promise<void> {
  try {
    const body = { Cmd: ['/bin/sh', SCRIPT_PATH], User: '0:0', AttachStdout: false, AttachStderr: false };
    const made = await ctx.engine.json<{ Id: string }>('POST', `/containers/${containerId}/exec`, { body });
    await ctx.engine.json('POST', `/exec/${made.Id}/start`, { body: { Detach: true } });
  } catch (error) {
    // The guest has no shell, or has ended already: it runs as it is.
    ctx.log.warn({ err: error, server_id: serverId }, 'the user data of a server could not be carried out');
  }
}
