/** Shorthands to write definitions down in few words. */
import type { NamespaceBody, ObjectBody, PropertyBody } from '../bodies.ts';

export type Definition = Omit<NamespaceBody, 'owner'>;
type More = Partial<Omit<PropertyBody, 'name' | 'title' | 'type' | 'description'>>;
type Make = (title: string, description: string, more?: More) => PropertyBody;

const make = (type: PropertyBody['type']): Make => (title, description, more = {}) => ({ title, type, description, ...more });
export const text = make('string');
export const integer = make('integer');
export const number = make('number');
export const boolean = make('boolean');
export const choice = (title: string, description: string, ...values: string[]): PropertyBody => text(title, description, { enum: values });

/** An image as it is, and as the image metadata of a volume made from it. */
export const onImages = [{ name: 'OS::Glance::Image' }, { name: 'OS::Cinder::Volume', properties_target: 'image' }];
export const onAggregates = [{ name: 'OS::Nova::Aggregate' }];
export const onFlavors = [{ name: 'OS::Nova::Flavor' }];
export const onServers = [{ name: 'OS::Nova::Server', properties_target: 'metadata' }];

/** Public, and kept from being deleted by mistake. */
export function define(namespace: string, display_name: string, description: string, rest: Partial<Definition>): Definition {
  return { namespace, display_name, description, visibility: 'public', protected: true, ...rest };
}

export const object = (name: string, description: string, properties: Record<string, PropertyBody>): ObjectBody => ({ name, description, properties });
