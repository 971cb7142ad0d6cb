/** Every state of a server against every action of the API: which are allowed, as nova's decorators have it; what is not is a 409 in nova's words. */
import assert from 'node:assert/strict';
import { asTransaction } from '../../../src/kernel/db/database.ts';
import { updateServer } from '../../../src/services/compute/store/servers.ts';
import type { ComputeTables } from '../../../src/services/compute/store/tables.ts';
import { ADMIN_TOKEN, type ServedWorld } from '../../support/compute-world.ts';

export const VM_STATES = ['building', 'active', 'paused', 'suspended', 'stopped', 'rescued', 'resized', 'shelved', 'shelved_offloaded', 'soft-delete', 'error'] as const;
export type VmState = (typeof VM_STATES)[number];

interface ActionCase {
  /** As the API's messages call it. */
  name: string;
  body: (world: ServedWorld) => object;
  /** Facts of nova/compute/api.py; `any`: whatever the state. */
  allowed: readonly VmState[] | 'any';
  /** May be asked for before the server ever ran. */
  unlaunched?: true;
}

const IN_USE = ['active', 'paused', 'suspended', 'stopped'] as const;
const nothing = (name: string) => () => ({ [name]: null });

export const ACTIONS: readonly ActionCase[] = [
  { name: 'start', body: nothing('os-start'), allowed: ['stopped'] },
  { name: 'stop', body: nothing('os-stop'), allowed: ['active', 'error'] },
  { name: 'reboot', body: () => ({ reboot: { type: 'SOFT' } }), allowed: ['active'] },
  { name: 'reboot (hard)', body: () => ({ reboot: { type: 'HARD' } }), allowed: ['active', 'stopped', 'paused', 'suspended', 'error'] },
  { name: 'pause', body: nothing('pause'), allowed: ['active'] },
  { name: 'unpause', body: nothing('unpause'), allowed: ['paused'] },
  { name: 'suspend', body: nothing('suspend'), allowed: ['active'] },
  { name: 'resume', body: nothing('resume'), allowed: ['suspended'] },
  { name: 'rescue', body: nothing('rescue'), allowed: ['active', 'stopped', 'error'] },
  { name: 'unrescue', body: nothing('unrescue'), allowed: ['rescued'] },
  { name: 'changePassword', body: () => ({ changePassword: { adminPass: 'x' } }), allowed: ['active'] },
  { name: 'trigger_crash_dump', body: nothing('trigger_crash_dump'), allowed: ['active', 'paused', 'rescued', 'resized', 'error'] },
  { name: 'createImage', body: () => ({ createImage: { name: 'image' } }), allowed: IN_USE },
  { name: 'createBackup', body: () => ({ createBackup: { name: 'backup', backup_type: 'daily', rotation: 1 } }), allowed: IN_USE },
  { name: 'rebuild', body: (world) => ({ rebuild: { imageRef: world.image.id } }), allowed: ['active', 'stopped', 'error'] },
  { name: 'resize', body: () => ({ resize: { flavorRef: '2' } }), allowed: ['active', 'stopped'] },
  { name: 'confirmResize', body: nothing('confirmResize'), allowed: ['resized'] },
  { name: 'revertResize', body: nothing('revertResize'), allowed: ['resized'] },
  { name: 'migrate', body: nothing('migrate'), allowed: ['active', 'stopped'] },
  { name: 'os-migrateLive', body: () => ({ 'os-migrateLive': { host: null, block_migration: 'auto' } }), allowed: ['active', 'paused'] },
  { name: 'shelve', body: nothing('shelve'), allowed: IN_USE },
  { name: 'shelveOffload', body: nothing('shelveOffload'), allowed: ['shelved'] },
  { name: 'unshelve', body: nothing('unshelve'), allowed: ['shelved', 'shelved_offloaded'] },
  { name: 'restore', body: nothing('restore'), allowed: ['soft-delete'] },
  { name: 'lock', body: nothing('lock'), allowed: 'any', unlaunched: true },
  { name: 'unlock', body: nothing('unlock'), allowed: 'any', unlaunched: true },
  { name: 'forceDelete', body: nothing('forceDelete'), allowed: 'any', unlaunched: true },
];

const POWER: Readonly<Record<VmState, number>> = { building: 0, active: 1, paused: 3, suspended: 7, stopped: 4, rescued: 1, resized: 1, shelved: 4, shelved_offloaded: 0, 'soft-delete': 4, error: 0 };

/** A server of its own in that state, its guest on the fake node as that state has it. */
export async function serverIn(world: ServedWorld, vm_state: VmState): Promise<string> {
  const id = await world.boot();
  const driver = world.nodes.drivers.find((one) => one.specOf(id) !== undefined)!;
  if (vm_state === 'paused') await driver.power(id, { action: 'pause' });
  if (vm_state === 'suspended') await driver.power(id, { action: 'suspend' });
  if (['stopped', 'shelved', 'soft-delete'].includes(vm_state)) await driver.power(id, { action: 'stop', timeout_seconds: 0 });
  if (vm_state === 'rescued') await driver.rescue({ ...driver.specOf(id)!, incarnation: 'x' });
  const change = { vm_state, power_state: POWER[vm_state], task_state: vm_state === 'building' ? 'spawning' : null, ...(vm_state === 'building' ? { launched_at: null } : {}), ...(vm_state === 'soft-delete' ? { deleted_at: '2026-01-01T00:00:00.000000Z' } : {}) };
  await world.db.transaction((tx) => updateServer(asTransaction<ComputeTables>(tx), id, change));
  return id;
}

export const isAllowed = ({ allowed }: ActionCase, state: VmState): boolean => allowed === 'any' || allowed.includes(state);

/** Asks for one pair and asserts what nova would answer; an allowed action is taken, or refused for a reason other than the state. */
export async function askFor(world: ServedWorld, action: ActionCase, state: VmState): Promise<void> {
  const id = await serverIn(world, state);
  const reply = await world.call('POST', `/servers/${id}/action`, { body: action.body(world), token: ADMIN_TOKEN });
  const pair = `${action.name} × ${state}: ${reply.status} ${reply.text}`;
  const wrong = `Cannot '${action.name.replace(' (hard)', '')}' instance ${id} while it is in vm_state ${state}`;
  if (isAllowed(action, state)) assert.ok(reply.status < 500 && !reply.text.includes('while it is in vm_state'), pair);
  else assert.deepEqual([reply.status, reply.json.conflictingRequest?.message], [409, wrong], pair);
  await world.settled(id);
}

/** The table of the reference. */
export function renderStates(): string {
  const head = ['action', ...VM_STATES];
  const rows = ACTIONS.map((action) => [`\`${action.name}\``, ...VM_STATES.map((state) => (isAllowed(action, state) ? 'yes' : '409'))]);
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [
    '# What a server does in which state', '',
    'Which action of `POST /servers/{id}/action` a state allows; what is not allowed is a 409 that names action and state. Generated by `npm run reference`;',
    'a test asks for each pair. A server that works on something takes no other action but its deletion, `os-resetState` and a lock.', '',
    line(head), line(head.map(() => '---')), ...rows.map(line), '',
  ].join('\n');
}
