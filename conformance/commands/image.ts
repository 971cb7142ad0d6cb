/** Every command of image once, in an order in which each has what it needs. */
import { dockerArchive } from '../../test/support/docker-archive.ts';
import { helper, type Scene, step, type Step } from './step.ts';

const none = (): string[] => [];
const first = (run: Scene): string[] => [run.name('image')];
const boxed = (run: Scene): string[] => [run.name('boxed')];
const second = (run: Scene): string[] => [run.name('staged')];
const data = (run: Scene): string => run.file('image.raw', 'bytes of an image\n'.repeat(1000));

const images: Step[] = [
  helper('project create', (run) => ['--domain', 'default', run.name('guest')], { save: { guest: 'id' } }),
  step('image create', (run) => ['--container-format', 'bare', '--disk-format', 'raw', '--shared', '--file', data(run), run.name('image')]),
  step('image list', none),
  step('image show', first),
  step('image set', (run) => ['--property', 'colour=blue', '--tag', 'run', run.name('image')]),
  step('image unset', (run) => ['--property', 'colour', '--tag', 'run', run.name('image')]),
  step('image save', (run) => ['--file', run.path('saved.raw'), run.name('image')]),
  step('image add project', (run) => [run.name('image'), run.saved('guest')]),
  step('image member list', first),
  step('image member get', (run) => [run.name('image'), run.saved('guest')]),
  step('image remove project', (run) => [run.name('image'), run.saved('guest')]),
  step('image import info', none),
  step('image stores list', none),
  helper('image create', (run) => ['--container-format', 'bare', '--disk-format', 'raw', run.name('staged')], { terminal: true }),
  step('image stage', (run) => ['--file', data(run), run.name('staged')]),
  step('image import', second),
  step('image task list', none, { save: { task: 'ID' } }),
  step('image task show', (run) => [run.saved('task')]),
  helper('image create', (run) => ['--container-format', 'docker', '--disk-format', 'raw', '--file', run.file('boxed.tar', dockerArchive().toString('latin1')), run.name('boxed')]),
  step('cached image queue', boxed),
  step('cached image list', none),
  step('cached image delete', boxed),
  step('cached image clear', none),
];

const namespace = (run: Scene): string[] => [run.name('namespace')];
const within = (what: string) => (run: Scene): string[] => [run.name('namespace'), run.name(what)];
const TYPE = 'OS::Glance::Image';

const metadefs: Step[] = [
  step('image metadef namespace create', (run) => ['--description', 'of the run', run.name('namespace')]),
  step('image metadef namespace list', none),
  step('image metadef namespace show', namespace),
  step('image metadef namespace set', (run) => ['--display-name', 'changed', run.name('namespace')]),
  step('image metadef namespace unset', (run) => ['--all-tags', run.name('namespace')]),
  step('image metadef object create', (run) => ['--namespace', run.name('namespace'), run.name('object')]),
  step('image metadef object list', namespace),
  step('image metadef object show', within('object')),
  step('image metadef object update', (run) => ['--name', run.name('renamed'), ...within('object')(run)]),
  step('image metadef object delete', within('renamed')),
  step('image metadef object property show', () => ['OS::Compute::Quota', 'CPU Limits', 'quota:cpu_shares']),
  step('image metadef property create', (run) => ['--name', run.name('property'), '--title', 'Of the run', '--type', 'string', '--schema', '{"maxLength": 10}', run.name('namespace')]),
  step('image metadef property list', namespace),
  step('image metadef property show', within('property')),
  step('image metadef property set', (run) => ['--title', 'Changed', ...within('property')(run)]),
  step('image metadef property delete', within('property')),
  step('image metadef resource type list', none),
  step('image metadef resource type association create', (run) => [run.name('namespace'), TYPE]),
  step('image metadef resource type association list', namespace),
  step('image metadef resource type association delete', (run) => [run.name('namespace'), TYPE]),
  step('image metadef namespace delete', namespace),
];

const farewell: Step[] = [
  step('image delete', first),
  helper('image delete', second),
  helper('image delete', boxed),
  helper('project delete', (run) => [run.saved('guest')]),
];

export const imageSteps: Step[] = [...images, ...metadefs, ...farewell];
