import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What was made once and is the user's to change or delete since. */
export interface WorldState {
  /** Of project admin: another one means another database. */
  admin_project_id: string;
  image_id: string;
  network_id: string;
  security_group_id: string;
  hello: boolean;
}

const path = (data_dir: string): string => join(data_dir, 'world.json');

export function readWorld(data_dir: string, admin_project_id: string): WorldState | undefined {
  if (!existsSync(path(data_dir))) return undefined;
  const state = JSON.parse(readFileSync(path(data_dir), 'utf8')) as WorldState;
  return state.admin_project_id === admin_project_id ? state : undefined;
}

export function writeWorld(data_dir: string, state: WorldState): void {
  writeJson(path(data_dir), state);
}

/** Servers that ran when `down` stopped the engine under them. */
const resumePath = (data_dir: string): string => join(data_dir, 'resume.json');

export function noteRunning(data_dir: string, server_ids: readonly string[]): void {
  writeJson(resumePath(data_dir), server_ids);
}

export function runningBefore(data_dir: string): string[] {
  return existsSync(resumePath(data_dir)) ? (JSON.parse(readFileSync(resumePath(data_dir), 'utf8')) as string[]) : [];
}

export function forgetRunning(data_dir: string): void {
  rmSync(resumePath(data_dir), { force: true });
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
