import { login } from './api.ts';
import type { CatalogEntry } from './api.ts';
import { engineAnswers } from './docker.ts';
import { paint, table } from './output.ts';
import type { Output } from './output.ts';
import { partState } from './process/parts.ts';
import { credentialsOf } from './secrets.ts';
import type { Settings } from './settings.ts';
import { ownsEngine } from './up/engine.ts';
import { probe } from './up/services.ts';

export interface ServiceStatus {
  service: string;
  url: string;
  version: string;
  healthy: boolean;
  milliseconds: number | undefined;
  detail: string;
}

/** `gantry status`. @returns 0 when everything runs and answers, else 1. */
export async function status(settings: Settings, output: Output, json: boolean): Promise<number> {
  const rows = [...(await services(settings)), ...(await processes(settings))];
  const healthy = rows.every((row) => row.healthy);
  if (json) output.print(JSON.stringify({ name: settings.config.cloud.name, data_dir: settings.data_dir, healthy, services: rows }, null, 2));
  else {
    const cells = rows.map((row) => [row.service, row.url, row.version, row.healthy ? 'up' : 'down', row.milliseconds === undefined ? '' : `${row.milliseconds} ms`, row.detail]);
    const [head, ...lines] = table(['service', 'url', 'version', 'health', 'latency', ''], cells);
    output.print(paint(output, 'bold', head!));
    for (const [index, line] of lines.entries()) output.print(rows[index]!.healthy ? line : paint(output, 'red', line));
    if (!healthy) output.note('next: ./gantry up heals what is down');
  }
  return healthy ? 0 : 1;
}

async function services(settings: Settings): Promise<ServiceStatus[]> {
  const credentials = credentialsOf(settings, 'admin');
  const begun = performance.now();
  try {
    const { catalog } = await login(credentials);
    return await Promise.all(catalog.map(serviceStatus));
  } catch (error) {
    const milliseconds = Math.round(performance.now() - begun);
    return [{ service: 'identity', url: credentials.auth_url, version: '', healthy: false, milliseconds, detail: (error as Error).message }];
  }
}

async function serviceStatus({ type, url }: CatalogEntry): Promise<ServiceStatus> {
  const { ok, milliseconds, body, error } = await probe(url);
  return { service: type, url, version: newestVersion(body), healthy: ok, milliseconds: Math.round(milliseconds), detail: error ?? '' };
}

interface Version {
  id?: string;
  version?: string;
  max_version?: string;
  status?: string;
}

/** The newest version, or microversion, that a version document names. */
function newestVersion(body: unknown): string {
  const document = body as { version?: Version; versions?: Version[] | { values: Version[] } } | undefined;
  const listed = Array.isArray(document?.versions) ? document.versions : document?.versions?.values;
  const version = document?.version ?? listed?.find((one) => one.status === 'CURRENT') ?? listed?.[0];
  return version?.max_version || version?.version || version?.id || '';
}

async function processes(settings: Settings): Promise<ServiceStatus[]> {
  const { data_dir, config } = settings;
  const parts = ownsEngine(data_dir) ? ['controller', 'agent', 'containerd', 'dockerd'] : ['controller', 'agent'];
  const rows = parts.map((name): ServiceStatus => {
    const { supervisor, process: child } = partState(data_dir, name);
    const healthy = supervisor !== undefined && child !== undefined;
    const detail = child === undefined ? 'not running' : supervisor === undefined ? `process ${child.pid}, unsupervised` : `process ${child.pid}`;
    return { service: name, url: '', version: '', healthy, milliseconds: undefined, detail };
  });
  const begun = performance.now();
  const answers = await engineAnswers(config.agent.docker_socket);
  const engine = { service: 'engine', url: `unix://${config.agent.docker_socket}`, version: '', healthy: answers, milliseconds: Math.round(performance.now() - begun), detail: answers ? '' : 'no answer' };
  return [...rows, engine];
}
