/** Nova's state machine as data: which action is allowed in which state, and what a state is called. */
import { conflict, type Fault } from '../../../kernel/fault.ts';

/** Nova's power states on the wire. */
export const powerStates = { nostate: 0, running: 1, paused: 3, shutdown: 4, crashed: 6, suspended: 7 } as const;

export interface ServerState {
  id: string;
  vm_state: string;
  task_state: string | null;
  launched_at: string | null;
  locked_by: string | null;
}

interface Rule {
  /** Undefined: any. */
  vm_states?: readonly string[];
  /** Undefined: only an idle server; `any`: whatever it does. */
  task_states?: readonly (string | null)[] | 'any';
  must_have_launched: boolean;
  /** Whether a lock refuses it. */
  lockable: boolean;
}

const IN_USE = ['active', 'paused', 'suspended', 'stopped'] as const;

const WITH_VOLUMES = ['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'] as const;

const rules = {
  start: { vm_states: ['stopped'], must_have_launched: true, lockable: true },
  stop: { vm_states: ['active', 'error'], must_have_launched: true, lockable: true },
  reboot: { vm_states: ['active'], must_have_launched: true, lockable: true },
  'reboot-hard': {
    vm_states: ['active', 'stopped', 'paused', 'suspended', 'error'],
    task_states: [null],
    must_have_launched: true,
    lockable: true,
  },
  pause: { vm_states: ['active'], must_have_launched: true, lockable: true },
  unpause: { vm_states: ['paused'], must_have_launched: true, lockable: true },
  delete: { task_states: 'any', must_have_launched: false, lockable: true },
  forceDelete: { task_states: 'any', must_have_launched: false, lockable: true },
  restore: { vm_states: ['soft-delete'], must_have_launched: true, lockable: true },
  changePassword: { vm_states: ['active'], must_have_launched: true, lockable: true },
  suspend: { vm_states: ['active'], must_have_launched: true, lockable: true },
  resume: { vm_states: ['suspended'], must_have_launched: true, lockable: true },
  rescue: { vm_states: ['active', 'stopped', 'error'], must_have_launched: true, lockable: true },
  unrescue: { vm_states: ['rescued'], must_have_launched: true, lockable: true },
  resize: { vm_states: ['active', 'stopped'], must_have_launched: true, lockable: true },
  confirmResize: { vm_states: ['resized'], must_have_launched: true, lockable: true },
  revertResize: { vm_states: ['resized'], must_have_launched: true, lockable: true },
  rebuild: { vm_states: ['active', 'stopped', 'error'], must_have_launched: true, lockable: true },
  shelve: { vm_states: IN_USE, must_have_launched: true, lockable: true },
  shelveOffload: { vm_states: ['shelved'], must_have_launched: true, lockable: true },
  unshelve: { vm_states: ['shelved', 'shelved_offloaded'], must_have_launched: true, lockable: true },
  createImage: { vm_states: IN_USE, must_have_launched: true, lockable: false },
  createBackup: { vm_states: IN_USE, must_have_launched: true, lockable: true },
  migrate: { vm_states: ['active', 'stopped'], must_have_launched: true, lockable: true },
  'os-migrateLive': { vm_states: ['active', 'paused'], must_have_launched: true, lockable: true },
  'abort live migration': { task_states: ['migrating'], must_have_launched: true, lockable: true },
  force_complete: { vm_states: ['active'], task_states: ['migrating'], must_have_launched: true, lockable: true },
  evacuate: { vm_states: ['active', 'stopped', 'error'], task_states: 'any', must_have_launched: true, lockable: false },
  trigger_crash_dump: { vm_states: ['active', 'paused', 'rescued', 'resized', 'error'], must_have_launched: true, lockable: true },
  attach_interface: { vm_states: ['active', 'paused', 'stopped'], must_have_launched: true, lockable: true },
  detach_interface: { vm_states: ['active', 'paused', 'stopped'], must_have_launched: true, lockable: true },
  attach_volume: { vm_states: WITH_VOLUMES, must_have_launched: true, lockable: true },
  detach_volume: { vm_states: WITH_VOLUMES, must_have_launched: true, lockable: true },
  swap_volume: { vm_states: ['active', 'paused', 'resized'], must_have_launched: true, lockable: true },
  addFixedIp: { task_states: 'any', must_have_launched: false, lockable: true },
  removeFixedIp: { task_states: 'any', must_have_launched: false, lockable: true },
  'update metadata': { vm_states: IN_USE, task_states: 'any', must_have_launched: true, lockable: true },
  'delete metadata': { vm_states: IN_USE, task_states: 'any', must_have_launched: true, lockable: true },
  'update tag': { vm_states: IN_USE, task_states: 'any', must_have_launched: false, lockable: false },
  'delete tag': { vm_states: IN_USE, task_states: 'any', must_have_launched: false, lockable: false },
} as const satisfies Record<string, Rule>;

export type ServerAction = keyof typeof rules;

/** The name that the API's messages use. */
const spoken: Partial<Record<ServerAction, string>> = {
  'reboot-hard': 'reboot',
  'update metadata': 'update metadata',
  'update tag': 'update tag',
};

/** Undefined when the action is allowed; else nova's 409. */
export function refusal(action: ServerAction, server: ServerState, isAdmin: boolean): Fault | undefined {
  const rule: Rule = rules[action];
  if (rule.lockable && server.locked_by !== null && !isAdmin) return conflict('compute.server-locked', `Instance ${server.id} is locked`);
  if (rule.vm_states !== undefined && !rule.vm_states.includes(server.vm_state)) return invalidState(action, server, 'vm_state', server.vm_state);
  const allowed = rule.task_states ?? [null];
  if (allowed !== 'any' && !allowed.includes(server.task_state)) return invalidState(action, server, 'task_state', server.task_state);
  if (rule.must_have_launched && server.launched_at === null) return invalidState(action, server, 'launched_at', null);
  return undefined;
}

/** @throws Fault 409 in nova's words. */
export function checkAction(action: ServerAction, server: ServerState, isAdmin: boolean): void {
  const fault = refusal(action, server, isAdmin);
  if (fault) throw fault;
}

function invalidState(action: ServerAction, server: ServerState, attribute: string, state: string | null): Fault {
  const name = spoken[action] ?? action;
  if (state === null) return conflict('compute.invalid-state', `Instance ${server.id} is in an invalid state for '${name}'`);
  return conflict('compute.invalid-state', `Cannot '${name}' instance ${server.id} while it is in ${attribute} ${state}`);
}

/** `default` is for every task state that is not named. */
const statuses: Record<string, Record<string, string>> = {
  active: {
    default: 'ACTIVE',
    rebooting: 'REBOOT', reboot_pending: 'REBOOT', reboot_started: 'REBOOT',
    rebooting_hard: 'HARD_REBOOT', reboot_pending_hard: 'HARD_REBOOT', reboot_started_hard: 'HARD_REBOOT',
    updating_password: 'PASSWORD',
    rebuilding: 'REBUILD', rebuild_block_device_mapping: 'REBUILD', rebuild_spawning: 'REBUILD',
    migrating: 'MIGRATING',
    resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_migrated: 'RESIZE', resize_finish: 'RESIZE',
  },
  building: { default: 'BUILD' },
  stopped: {
    default: 'SHUTOFF',
    resize_prep: 'RESIZE', resize_migrating: 'RESIZE', resize_migrated: 'RESIZE', resize_finish: 'RESIZE',
    rebuilding: 'REBUILD', rebuild_block_device_mapping: 'REBUILD', rebuild_spawning: 'REBUILD',
  },
  resized: { default: 'VERIFY_RESIZE', resize_reverting: 'REVERT_RESIZE' },
  paused: { default: 'PAUSED', migrating: 'MIGRATING' },
  suspended: { default: 'SUSPENDED' },
  rescued: { default: 'RESCUE' },
  error: { default: 'ERROR', rebuilding: 'REBUILD', rebuild_block_device_mapping: 'REBUILD', rebuild_spawning: 'REBUILD' },
  deleted: { default: 'DELETED' },
  'soft-delete': { default: 'SOFT_DELETED' },
  shelved: { default: 'SHELVED' },
  shelved_offloaded: { default: 'SHELVED_OFFLOADED' },
};

/** `ACTIVE`, `BUILD` … as the API shows it. */
export function statusOf(vm_state: string, task_state: string | null): string {
  const names = statuses[vm_state];
  if (names === undefined) return 'UNKNOWN';
  return (task_state === null ? undefined : names[task_state]) ?? names['default'] ?? 'UNKNOWN';
}

/** The states behind statuses that a list is filtered by; `task_states` undefined: any. No vm_states: there is no such status. */
export function statesOf(wanted: readonly string[]): { vm_states: string[]; task_states: string[] | undefined } {
  const upper = new Set(wanted.map((status) => status.toUpperCase()));
  const vm_states = new Set<string>();
  const task_states = new Set<string>();
  for (const [vm_state, names] of Object.entries(statuses)) {
    for (const [task_state, status] of Object.entries(names)) {
      if (!upper.has(status)) continue;
      vm_states.add(vm_state);
      task_states.add(task_state);
    }
  }
  return { vm_states: [...vm_states], task_states: task_states.has('default') ? undefined : [...task_states] };
}

/** What a server is after its guest was seen in this power state while no task runs; undefined: no change of vm_state. */
export function afterPowerSeen(vm_state: string, power_state: number): string | undefined {
  const seen = power_state;
  if (vm_state === 'active' && (seen === powerStates.shutdown || seen === powerStates.crashed)) return 'stopped';
  if (vm_state === 'active' && seen === powerStates.paused) return 'paused';
  if (vm_state === 'paused' && seen === powerStates.running) return 'active';
  if (vm_state === 'active' && seen === powerStates.suspended) return 'suspended';
  if (vm_state === 'suspended' && seen === powerStates.running) return 'active';
  if ((vm_state === 'paused' || vm_state === 'suspended') && (seen === powerStates.shutdown || seen === powerStates.crashed)) return 'stopped';
  return undefined;
}
