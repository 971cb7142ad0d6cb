/** What there is: tags, repositories, and the search that `docker search` makes. */
import { Type } from 'typebox';
import { type Call, type Endpoint, endpoint, reply } from '../../../../kernel/api/endpoint.ts';
import type { RegistryDeps } from '../../deps.ts';
import { findRegistryProject } from '../../model/registry/logins.ts';
import { isRepositoryPart } from '../../model/registry/names.ts';
import { nameUnknown, openPlace } from '../../model/registry/places.ts';
import { searchImages } from '../../store/images.ts';
import { listRepositories, listTags } from '../../store/registry/repositories.ts';
import { nextLink } from './base.ts';

const MOST = 1000;
const page = { n: Type.Optional(Type.Integer({ minimum: 0 })), last: Type.Optional(Type.String({ maxLength: 255 })) };

export const registryListEndpoints = (deps: RegistryDeps): Endpoint[] => [
  endpoint({
    id: 'registry:tags:list', method: 'GET', path: '/{name}/tags/list', summary: 'List the tags of a repository', policy: 'registry_use', status: 200,
    query: Type.Object(page), reply: Type.Object({ name: Type.String(), tags: Type.Array(Type.String()) }),
    async handler(call) {
      const place = await openPlace(deps, call as Call);
      const limit = Math.min(call.query.n ?? MOST, MOST);
      const found = place.repository ? await listTags(deps.db.read, place.repository.id, place.viewer, call.query.last ?? '', limit + 1) : [];
      const uploaded = place.uploaded && !found.includes('latest') && (call.query.last ?? '') < 'latest' ? ['latest'] : [];
      if (found.length + uploaded.length === 0 && call.query.last === undefined && (!place.repository || place.viewer)) throw nameUnknown(call.params.name);
      const all = [...found, ...uploaded].sort();
      const tags = all.slice(0, limit);
      return reply({ name: call.params.name, tags }, { headers: all.length > limit && tags.length > 0 ? nextLink(call as Call, tags.at(-1)!, limit) : {} });
    },
  }),
  endpoint({
    id: 'registry:catalog', method: 'GET', path: '/_catalog', summary: 'List the repositories', policy: 'registry_use', status: 200,
    query: Type.Object(page), reply: Type.Object({ repositories: Type.Array(Type.String()) }),
    async handler(call) {
      const limit = Math.min(call.query.n ?? 100, MOST);
      const names = nameOf(deps);
      const rows = await listRepositories(deps.db.read, { project_id: call.auth.project_id }, await afterOf(deps, call.query.last), limit + 1);
      const shown = [];
      for (const row of rows.slice(0, limit)) shown.push(`${await names(row.project_id)}/${row.name}`);
      return reply({ repositories: shown }, { headers: rows.length > limit && shown.length > 0 ? nextLink(call as Call, shown.at(-1)!, limit) : {} });
    },
  }),
];

async function afterOf(deps: RegistryDeps, last: string | undefined): Promise<{ project_id: string; name: string } | undefined> {
  const at = last?.indexOf('/') ?? -1;
  const project = last === undefined || at < 0 ? undefined : await findRegistryProject(deps, last.slice(0, at));
  return project && { project_id: project.id, name: last!.slice(at + 1) };
}

/** Names of projects, each looked up once. */
function nameOf(deps: RegistryDeps): (project_id: string) => Promise<string> {
  const known = new Map<string, Promise<string>>();
  return (project_id) => {
    const name = known.get(project_id) ?? deps.identity.findProject(project_id).then((project) => project?.name ?? project_id);
    known.set(project_id, name);
    return name;
  };
}

/** The older protocol, as far as `docker search` needs it. */
export const searchEndpoints = (deps: RegistryDeps): Endpoint[] => [
  endpoint({
    id: 'healthcheck:registry-ping', method: 'GET', path: '/_ping', summary: 'Ask whether this is a registry that can be searched', policy: 'public', status: 200,
    handler: () => reply('true' as never, { headers: { 'content-type': 'application/json', 'x-docker-registry-version': 'gantry', 'x-docker-registry-standalone': 'true' } }),
  }),
  endpoint({
    id: 'registry:search', method: 'GET', path: '/search', summary: 'Search images by name', policy: 'registry_search', status: 200,
    query: Type.Object({ q: Type.Optional(Type.String({ maxLength: 255 })), n: Type.Optional(Type.Integer({ minimum: 0 })), page: Type.Optional(Type.Integer()) }),
    reply: Type.Object({ num_results: Type.Integer(), query: Type.String(), results: Type.Array(Type.Object({ name: Type.String(), description: Type.String() })) }),
    async handler(call) {
      const query = call.query.q ?? '';
      const limit = Math.min(Math.max(call.query.n ?? 25, 1), 100);
      const names = nameOf(deps);
      const results = new Map<string, string>();
      for (const image of await searchImages(deps.db.read, call.auth.project_id, query, limit * 4)) {
        const name = await pullName(names, image);
        if (!results.has(name) && results.size < limit) results.set(name, (JSON.parse(image.properties) as Record<string, string>)['description'] ?? '');
      }
      const shown = [...results].map(([name, description]) => ({ name, description, is_official: false, is_automated: false, is_trusted: false, star_count: 0 }));
      return { num_results: shown.length, num_pages: 1, page: 1, page_size: limit, query, results: shown };
    },
  }),
];

async function pullName(names: (project_id: string) => Promise<string>, image: { id: string; name: string | null; owner: string; properties: string }): Promise<string> {
  const ref = (JSON.parse(image.properties) as Record<string, string>)['docker:ref'];
  if (ref !== undefined) return ref.replace(/[@:][^/]*$/, '');
  return `${await names(image.owner)}/${image.name !== null && isRepositoryPart(image.name) ? image.name : image.id}`;
}
