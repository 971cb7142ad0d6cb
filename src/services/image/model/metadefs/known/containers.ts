/** What Gantry itself reads from images, servers and flavors beyond OpenStack's own properties. */
import { boolean, choice, define, type Definition, integer, onFlavors, onServers, text } from './define.ts';

export const containerDefinitions: Definition[] = [
  define('Gantry::Docker', 'Container', 'How the container of a server starts: as a property of its image, or as metadata of the server, which comes first.', {
    resource_type_associations: [{ name: 'OS::Glance::Image' }, ...onServers],
    properties: { 'docker:cmd': text('Command', 'Replaces the command of the image: a JSON list of words, such as ["sleep", "60"].') },
  }),
  define('Gantry::Docker::Image', 'Container image', 'How an image becomes containers, and where it came from.', {
    resource_type_associations: [{ name: 'OS::Glance::Image' }],
    properties: {
      os_command_line: text('Command line', 'Replaces the command of the image: one line, split into words as a shell does. "docker:cmd" comes first.'),
      'docker:metadata_as_env': choice('Metadata as environment', 'With "all", every metadata item of a server becomes an environment variable, not only those named env.NAME.', 'all'),
      'docker:ref': text('Reference', 'Name and tag under which the image was pushed to the registry.', { readonly: true }),
      'docker:digest': text('Digest', 'Digest of the manifest that was pushed.', { readonly: true }),
      'gantry:system': boolean('System container', 'The container runs the init of an operating system as its first process.'),
    },
  }),
  define('Gantry::Docker::Flavor', 'Container limits', 'Limits of a container beyond memory, processors and disk.', {
    resource_type_associations: onFlavors,
    properties: { 'docker:pids': integer('Processes', 'Most processes and threads in the container.', { minimum: 1 }) },
  }),
];
