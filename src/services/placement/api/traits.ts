import { Type } from 'typebox';
import { endpoint, type Endpoint, reply } from '../../../kernel/api/endpoint.ts';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, conflict, notFound } from '../../../kernel/fault.ts';
import type { PlacementDeps } from '../deps.ts';
import { CUSTOM_NAME, STANDARD_TRAITS } from '../model/resource-classes.ts';
import { deleteName, insertName, isTraitUsed, listNames, traitsInUse } from '../store/names.ts';
import { TRAITS } from '../versions.ts';

const TABLE = 'placement_custom_traits';
const noTrait = (name: string) => notFound('placement.trait-not-found', `No such trait ${name}.`);

/** Every trait there is. */
export async function knownTraits(deps: PlacementDeps): Promise<string[]> {
  return [...STANDARD_TRAITS, ...(await listNames(deps.db.read, TABLE))];
}

async function selected(deps: PlacementDeps, name: string | undefined, associated: boolean | undefined): Promise<string[]> {
  let traits = await knownTraits(deps);
  if (associated !== undefined) {
    const used = new Set(await traitsInUse(deps.db.read));
    traits = traits.filter((trait) => used.has(trait) === associated);
  }
  if (name === undefined) return traits;
  const [, word, rest] = /^(in|startswith):(.*)$/s.exec(name) ?? [];
  if (word === undefined) throw badRequest('placement.trait-filter', 'Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix].');
  return word === 'in' ? traits.filter((trait) => rest!.split(',').includes(trait)) : traits.filter((trait) => trait.startsWith(rest!));
}

export const traitEndpoints = (deps: PlacementDeps): Endpoint[] => [
  endpoint({
    id: 'traits:list', method: 'GET', path: '/traits', summary: 'List traits', policy: 'placement:traits:list', status: 200, since: TRAITS,
    query: Type.Object({ name: Type.Optional(Type.String()), associated: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
    handler: async (call) => ({ traits: await selected(deps, call.query.name, call.query.associated) }),
  }),
  endpoint({
    id: 'traits:show', method: 'GET', path: '/traits/{name}', summary: 'Is this a trait?', policy: 'placement:traits:show', status: 204, since: TRAITS,
    async handler(call) {
      if (!(await knownTraits(deps)).includes(call.params.name)) throw noTrait(call.params.name);
      return undefined;
    },
  }),
  endpoint({
    id: 'traits:ensure', method: 'PUT', path: '/traits/{name}', summary: 'Make a trait be there', policy: 'placement:traits:update', status: 201, since: TRAITS,
    async handler(call) {
      const { name } = call.params;
      if (!new RegExp(CUSTOM_NAME).test(name) || name.length > 255) throw badRequest('placement.trait-name', `The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"`);
      const added = await deps.db.transaction((tx) => insertName(tx, TABLE, name, isoMicros(deps.clock.now())));
      return reply(undefined, { status: added ? 201 : 204, headers: { location: `${call.base}/traits/${name}` } });
    },
  }),
  endpoint({
    id: 'traits:delete', method: 'DELETE', path: '/traits/{name}', summary: 'Delete a trait', policy: 'placement:traits:delete', status: 204, since: TRAITS,
    async handler(call) {
      const { name } = call.params;
      if (STANDARD_TRAITS.includes(name)) throw badRequest('placement.trait-standard', `Cannot delete standard trait ${name}.`);
      await deps.db.transaction(async (tx) => {
        if (await isTraitUsed(tx, name)) throw conflict('placement.trait-in-use', `The trait ${name} is in use by a resource provider.`);
        if (!(await deleteName(tx, TABLE, name))) throw noTrait(name);
      });
      return undefined;
    },
  }),
];
