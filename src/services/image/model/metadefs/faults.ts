/** What goes wrong in the catalogue of metadata definitions, in glance's words. */
import { badRequest, conflict, type Fault, forbidden, notFound, tooLarge } from '../../../../kernel/fault.ts';
import type { MetadefKind } from '../../store/metadefs/tables.ts';

export const namespaceNotFound = (namespace: string): Fault => notFound('image.metadef-namespace-not-found', `Metadata definition namespace=${namespace} was not found.`);
export const namespaceTaken = (namespace: string): Fault => conflict('image.metadef-namespace-exists', `The metadata definition namespace=${namespace} already exists.`);
export const itemNotFound = (kind: MetadefKind, name: string, namespace: string): Fault =>
  notFound('image.metadef-item-not-found', `The metadata definition ${kind} with name=${name} was not found in namespace=${namespace}.`);
export const itemTaken = (kind: MetadefKind, name: string, namespace: string): Fault =>
  conflict('image.metadef-item-exists', `A metadata definition ${kind} with name=${name} already exists in namespace=${namespace}.`);
export const associationNotFound = (resource_type: string): Fault => notFound('image.metadef-association-not-found', `Failed to find resource type ${resource_type} to delete`);
export const associationTaken = (resource_type: string, namespace: string): Fault =>
  conflict('image.metadef-association-exists', `The metadata definition resource-type association of resource-type=${resource_type} to namespace=${namespace} already exists.`);
export const isProtected = (what: string, name: string): Fault => forbidden('image.metadef-protected', `Metadata definition ${what} ${name} is protected and cannot be deleted.`);
export const tooMany = (what: string, most: number): Fault => tooLarge('image.metadef-limit', `There may be at most ${most} ${what}.`);
export const metadefMarkerNotFound = (marker: string): Fault => notFound('image.metadef-marker', `Marker ${marker} could not be found.`);
export const invalidListing = (why: string): Fault => badRequest('image.metadef-query', why);
