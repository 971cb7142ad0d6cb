/** Which commands the `openstack` client has for identity (128), image (42) and compute (100). */

const SETS: Record<string, string[]> = {
  CRUD: ['create', 'delete', 'list', 'set', 'show'],
  'CRUD+': ['create', 'delete', 'list', 'set', 'show', 'unset'],
  CDLS: ['create', 'delete', 'list', 'show'],
};

const IDENTITY = `
  access rule: delete list show
  access token: create
  application credential: CDLS
  catalog: list show
  consumer: CRUD
  credential: CRUD
  domain: CRUD
  ec2 credentials: CDLS
  endpoint: CRUD, add project, remove project
  endpoint group: CRUD, add project, remove project
  federation domain: list
  federation project: list
  federation protocol: CRUD
  group: CRUD, add user, contains user, remove user
  identity provider: CRUD
  implied role: create delete list
  limit: CRUD
  mapping: CRUD
  policy: CRUD
  project: CRUD
  region: CRUD
  registered limit: CRUD
  request token: authorize create
  role: CRUD add remove
  role assignment: list
  service: CRUD
  service provider: CRUD
  token: issue revoke
  trust: CDLS
  user: CRUD, password set`;

const IMAGE = `
  image: CRUD+ import save stage, add project, import info, remove project
  image member: get list
  image metadef namespace: CRUD+
  image metadef object: CDLS update, property show
  image metadef property: CRUD
  image metadef resource type: list
  image metadef resource type association: create delete list
  image stores: list
  image task: list show
  cached image: clear delete list queue`;

const COMPUTE = `
  aggregate: CRUD+, add host, remove host, cache image
  compute agent: create delete list set
  compute service: delete list set
  console connection: show
  console log: show
  console url: show
  flavor: CRUD+
  host: list set show
  hypervisor: list show
  hypervisor stats: show
  keypair: CDLS
  server: CRUD+ evacuate lock migrate pause reboot rebuild rescue resize restore resume shelve ssh start stop suspend unlock unpause unrescue unshelve, add fixed ip, add floating ip, add network, add port, add security group, add share, add volume, remove fixed ip, remove floating ip, remove network, remove port, remove security group, remove share, remove volume, migrate confirm, migrate revert, resize confirm, resize revert
  server backup: create
  server dump: create
  server event: list show
  server group: CDLS
  server image: create
  server migration: abort confirm list revert show, force complete
  server share: list show
  server volume: list set update
  usage: list show`;

/** Before the first comma stand single words and sets of them, after it verbs of several words. */
function expand(text: string): string[] {
  const lines = text.trim().split('\n').map((line) => line.trim().split(': ') as [string, string]);
  return lines.flatMap(([noun, verbs]) => {
    const [words = '', ...phrases] = verbs.split(', ');
    return [...words.split(' ').flatMap((word) => SETS[word] ?? [word]), ...phrases].map((verb) => `${noun} ${verb}`);
  }).sort();
}

export const AREAS = { identity: expand(IDENTITY), image: expand(IMAGE), compute: expand(COMPUTE) };
