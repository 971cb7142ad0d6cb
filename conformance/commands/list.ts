/** Which commands the `openstack` client has for identity (128) and image (42). */

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

/** Before the first comma stand single words and sets of them, after it verbs of several words. */
function expand(text: string): string[] {
  const lines = text.trim().split('\n').map((line) => line.trim().split(': ') as [string, string]);
  return lines.flatMap(([noun, verbs]) => {
    const [words = '', ...phrases] = verbs.split(', ');
    return [...words.split(' ').flatMap((word) => SETS[word] ?? [word]), ...phrases].map((verb) => `${noun} ${verb}`);
  }).sort();
}

export const AREAS = { identity: expand(IDENTITY), image: expand(IMAGE) };
