/** Takes away what a run left because a command of it failed. */
import type { Login } from './run.ts';

const IDENTITY = ['registered_limits', 'limits', 'users', 'groups', 'projects', 'endpoints', 'services', 'regions', 'roles', 'domains'];
const FEDERATION = ['identity_providers', 'mappings', 'service_providers'];

type Row = { id?: string; name?: string | null; namespace?: string; region_id?: string; resource_name?: string };

/** @returns what was still there and is gone now. */
export async function sweep(login: Login, prefix: string): Promise<string[]> {
  const cloud = await enter(login);
  const gone: string[] = [];
  const ours = (row: Row): boolean => [row.id, row.name, row.namespace, row.region_id, row.resource_name].some((text) => text?.startsWith(`${prefix}-`));
  const clear = async (base: string, path: string, rows: string, key: (row: Row) => string): Promise<void> => {
    for (const row of (await cloud.list(`${base}${path}`, rows)).filter(ours)) {
      if (rows === 'domains') await cloud.send('PATCH', `${base}${path}/${row.id}`, { domain: { enabled: false } });
      if (await cloud.send('DELETE', `${base}${path}/${encodeURIComponent(key(row))}`)) gone.push(`${rows} ${row.name ?? key(row)}`);
    }
  };
  const image = cloud.image;
  if (image !== undefined) {
    await clear(image, '/v2/images', 'images', (row) => row.id!);
    await clear(image, '/v2/metadefs/namespaces', 'namespaces', (row) => row.namespace!);
  }
  for (const rows of FEDERATION) await clear(login.auth_url, `/OS-FEDERATION/${rows}`, rows, (row) => row.id!);
  for (const rows of IDENTITY) await clear(login.auth_url, `/${rows}`, rows, (row) => row.id!);
  return gone;
}

async function enter({ auth_url, username, password, project }: Login) {
  const domain = { id: 'default' };
  const auth = { identity: { methods: ['password'], password: { user: { name: username, domain, password } } }, scope: { project: { name: project, domain } } };
  const answer = await fetch(`${auth_url}/auth/tokens`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ auth }) });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  const { token } = (await answer.json()) as { token: { catalog: { type: string; endpoints: { interface: string; url: string }[] }[] } };
  const headers = { 'x-auth-token': answer.headers.get('x-subject-token') ?? '', 'content-type': 'application/json' };
  return {
    image: token.catalog.find(({ type }) => type === 'image')?.endpoints.find((one) => one.interface === 'public')?.url,
    /** Nothing where the service has no such collection. */
    async list(url: string, rows: string): Promise<Row[]> {
      const found = await fetch(`${url}?limit=1000`, { headers });
      return found.ok ? ((((await found.json()) as Record<string, Row[]>)[rows]) ?? []) : [];
    },
    async send(method: string, url: string, body?: unknown): Promise<boolean> {
      return (await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })).ok;
    },
  };
}
