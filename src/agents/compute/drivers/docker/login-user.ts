/** Who logs in to a guest, and whether it carries out its user data by itself: looked up in its own files before it runs. */
import { badRequest } from '../../../../kernel/fault.ts';
import { createByteReader, readContent, readEntry } from '../../../../kernel/tar.ts';
import type { GuestSpec, LoginUser } from '../../protocol.ts';
import type { Engine } from './engine.ts';
import { isEngineStatus } from './engine-error.ts';

const ROOT: LoginUser = { name: 'root', uid: 0, gid: 0, home: '/root' };
const MOST_BYTES = 1024 * 1024;

/** @throws Fault 400 when the image does not have the user that it names. */
export async function loginUser(engine: Engine, containerId: string, spec: Pick<GuestSpec, 'login_user' | 'system'>): Promise<LoginUser> {
  const name = spec.login_user;
  if (name === undefined || name === 'root' || name === spec.system?.user.name) return spec.system?.user ?? ROOT;
  const found = userOf(await readGuestFile(engine, containerId, '/etc/passwd'), name);
  if (found === undefined) throw badRequest('compute.login-user-missing', `The image's property os_admin_user names "${name}", but its /etc/passwd has no such user.`);
  return found;
}

/** Pure. */
export function userOf(passwd: string, name: string): LoginUser | undefined {
  const fields = passwd.split('\n').map((line) => line.split(':')).find(([user]) => user === name);
  const [uid, gid, home] = [Number(fields?.[2]), Number(fields?.[3]), fields?.[5] ?? ''];
  if (!Number.isInteger(uid) || !Number.isInteger(gid) || !home.startsWith('/')) return undefined;
  return { name, uid, gid, home };
}

const PROGRAMS = ['/usr/bin/cloud-init', '/usr/local/bin/cloud-init'];

export async function hasCloudInit(engine: Engine, containerId: string): Promise<boolean> {
  for (const path of PROGRAMS) if (await isThere(engine, containerId, path)) return true;
  return false;
}

async function isThere(engine: Engine, containerId: string, path: string): Promise<boolean> {
  try {
    await engine.json('HEAD', `/containers/${containerId}/archive`, { query: { path } });
    return true;
  } catch (error) {
    if (isEngineStatus(error, 404)) return false;
    throw error;
  }
}

/** Empty when there is no such file. */
async function readGuestFile(engine: Engine, containerId: string, path: string): Promise<string> {
  try {
    const reply = await engine.stream('GET', `/containers/${containerId}/archive`, { query: { path } });
    try {
      const reader = createByteReader(reply);
      const entry = await readEntry(reader);
      return entry === undefined || entry.size > MOST_BYTES ? '' : (await readContent(reader, entry.size)).toString('utf8');
    } finally {
      reply.destroy();
    }
  } catch (error) {
    if (isEngineStatus(error, 404)) return '';
    throw error;
  }
}
