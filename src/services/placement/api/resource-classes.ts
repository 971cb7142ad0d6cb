import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import type { PlacementDeps } from '../deps.ts';
import { CUSTOM_NAME, STANDARD_CLASSES } from '../model/resource-classes.ts';
import { deleteName, insertName, isClassUsed, listNames } from '../store/names.ts';
import { CUSTOM_CLASSES, PUT_CLASS } from '../versions.ts';

const TABLE = 'placement_custom_classes';
const named = Type.Object({ name: Type.String({ pattern: CUSTOM_NAME, maxLength: 255 }) }, { additionalProperties: false });
const view = (name: string) => ({ name, links: [{ rel: 'self', href: `/placement/resource_classes/${name}` }] });
const noClass = (name: string) => notFound('placement.class-not-found', `No such resource class ${name}.`);

export const resourceClassEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'resource_classes:list', method: 'GET', path: '/resource_classes', summary: 'List resource classes', policy: 'placement:resource_classes:list', status: 200, since: CUSTOM_CLASSES,
    handler: async () => ({ resource_classes: [...STANDARD_CLASSES, ...(await listNames(deps.db.read, TABLE))].map(view) }),
  }),
  endpoint({
    id: 'resource_classes:create', method: 'POST', path: '/resource_classes', summary: 'Add a resource class', policy: 'placement:resource_classes:create', status: 201, since: CUSTOM_CLASSES, body: named,
    async handler(call) {
      const { name } = call.body;
      const added = await deps.db.transaction((tx) => insertName(tx, TABLE, name, isoMicros(deps.clock.now())));
      if (!added) throw conflict('placement.class-exists', `Conflicting resource class already exists: ${name}`);
      return reply(undefined, { headers: { location: `${call.base}/resource_classes/${name}` } });
    },
  }),
  endpoint({
    id: 'resource_classes:show', method: 'GET', path: '/resource_classes/{name}', summary: 'Show a resource class', policy: 'placement:resource_classes:show', status: 200, since: CUSTOM_CLASSES,
    async handler(call) {
      const { name } = call.params;
      if (!STANDARD_CLASSES.includes(name) && !(await listNames(deps.db.read, TABLE)).includes(name)) throw noClass(name);
      return view(name);
    },
  }),
  endpoint({
    id: 'resource_classes:ensure', method: 'PUT', path: '/resource_classes/{name}', summary: 'Make a resource class be there', policy: 'placement:resource_classes:update', status: 201, since: PUT_CLASS,
    async handler(call) {
      const { name } = call.params;
      if (!new RegExp(CUSTOM_NAME).test(name)) throw badRequest('placement.class-name', `The name of a resource class of your own begins with CUSTOM_: ${name.slice(0, 100)}`);
      const added = await deps.db.transaction((tx) => insertName(tx, TABLE, name, isoMicros(deps.clock.now())));
      return reply(undefined, { status: added ? 201 : 204, headers: { location: `${call.base}/resource_classes/${name}` } });
    },
  }),
  endpoint({
    id: 'resource_classes:delete', method: 'DELETE', path: '/resource_classes/{name}', summary: 'Delete a resource class', policy: 'placement:resource_classes:delete', status: 204, since: CUSTOM_CLASSES,
    async handler(call) {
      const { name } = call.params;
      if (STANDARD_CLASSES.includes(name)) throw badRequest('placement.class-standard', `Cannot delete standard resource class ${name}.`);
      await deps.db.transaction(async (tx) => {
        if (await isClassUsed(tx, name)) throw conflict('placement.class-in-use', `Error in delete resource class: resource class ${name} is in use.`);
        if (!(await deleteName(tx, TABLE, name))) throw noClass(name);
      });
      return undefined;
    },
  }),
];
