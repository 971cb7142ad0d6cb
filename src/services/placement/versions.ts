/** Placement's microversions, in order: what each one brought. */
import { type MicroversionRange, mv } from '../../kernel/api/microversion.ts';

/** Providers say to which aggregates they belong. */
export const AGGREGATES = mv('1.1');
/** Operators name resource classes of their own. */
export const CUSTOM_CLASSES = mv('1.2');
/** Providers are listed by aggregate. */
export const MEMBER_OF = mv('1.3');
/** Providers are listed by what they have room for. */
export const RESOURCES_FILTER = mv('1.4');
/** All inventories of a provider are deleted at once. */
export const DELETE_INVENTORIES = mv('1.5');
/** Traits of providers. */
export const TRAITS = mv('1.6');
/** PUT of a resource class makes it be there. */
export const PUT_CLASS = mv('1.7');
/** Allocations name their project and user. */
export const ALLOCATION_OWNER = mv('1.8');
/** Usages of a project. */
export const PROJECT_USAGES = mv('1.9');
/** Allocation candidates. */
export const CANDIDATES = mv('1.10');
/** Providers link to their allocations. */
export const ALLOCATIONS_LINK = mv('1.11');
/** Allocations are written as a dictionary by provider, as they are read. */
export const ALLOCATION_DICT = mv('1.12');
/** Allocations of several consumers are written at once. */
export const MANY_ALLOCATIONS = mv('1.13');

export const placementVersions: MicroversionRange = {
  word: 'placement',
  min: mv('1.0'),
  max: MANY_ALLOCATIONS,
  notAcceptable: (asked) => `Unacceptable version header: ${asked}`,
};
