/** A whole controller for one test file: its own database, port and directory; agents join it when the test starts some. */
import { join } from 'node:path';
import { type Cloud, startCloud } from '../../src/cloud.ts';
import { serviceSections, type CloudConfig } from '../../src/cloud-config.ts';
import type { Database } from '../../src/kernel/db/database.ts';
import { openDatabase } from '../../src/kernel/db/open.ts';
import { localUrl, parseConfig } from '../../src/kernel/config/config.ts';
import { parsePolicyFile, type PolicyFile } from '../../src/kernel/policy/file.ts';
import { silentLog } from '../../src/kernel/log/log.ts';
import { freshDatabase } from './database.ts';
import { scratchDirectory } from './scratch.ts';
import { type CallOptions, request, type TestResponse } from './surface.ts';

export const ADMIN_PASSWORD = 'admin-password-of-the-test';
export const JOIN_TOKEN = 'join-token-of-the-test';

export interface TestCloud extends Cloud {
  directory: string;
  /** A call with the admin's token unless another is named. */
  call(method: string, path: string, options?: CallOptions): Promise<TestResponse>;
  /** @returns a token for project admin, or for what is named. */
  token(user?: { name: string; password: string; project?: string; system?: boolean }): Promise<string>;
  /** Makes a project with one user in it who has these roles. */
  tenant(name: string, roles?: string[]): Promise<{ project_id: string; user_id: string; token: string; password: string }>;
  /** The same rows, when no process serves them. */
  reopen(): Promise<Database>;
  /** The same rows served by a new process, as it were. */
  restart(): Promise<TestCloud>;
}

export interface TestCloudOptions {
  /** TOML to add to the configuration. */
  toml?: string;
  /** Policy rules in place of the built-in ones, as the text of a policy file. */
  policy?: string;
}

export async function startTestCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  const directory = scratchDirectory('cloud');
  const database = await freshDatabase();
  await database.close();
  const text = `${options.toml ?? ''}\n[cloud]\nname = "gtest"\n`;
  const config = parseConfig(text, { file: join(directory, 'gantry.toml'), env: {}, sections: serviceSections }) as CloudConfig;
  config.database.url = database.url;
  config.api.port = 0;
  config.api.public_url = localUrl(config.api);
  config.identity.password_cost = 4;
  return start(config, directory, options.policy === undefined ? undefined : parsePolicyFile(options.policy, 'policy.yaml'));
}

async function start(config: CloudConfig, directory: string, policy?: PolicyFile): Promise<TestCloud> {
  const cloud = await startCloud({ config, log: silentLog, adminPassword: () => ADMIN_PASSWORD, joinToken: () => JOIN_TOKEN, checkReplies: true, ...(policy ? { policy } : {}) });
  const token = (user = { name: 'admin', password: ADMIN_PASSWORD, project: 'admin' } as Parameters<TestCloud['token']>[0]) => issueToken(cloud.url, user!);
  const admin = await token();
  const call: TestCloud['call'] = (method, path, with_ = {}) => request(cloud.url, admin, method, path, with_);
  return { ...cloud, directory, call, token, tenant: (name, roles) => makeTenant(call, token, name, roles), reopen: () => openDatabase(config.database.url, silentLog), restart: () => start(config, directory, policy) };
}

async function issueToken(url: string, user: { name: string; password: string; project?: string; system?: boolean }): Promise<string> {
  const domain = { id: 'default' };
  const scope = user.system ? { system: { all: true } } : user.project ? { project: { name: user.project, domain } } : undefined;
  const identity = { methods: ['password'], password: { user: { name: user.name, domain, password: user.password } } };
  const answer = await request(url, undefined, 'POST', '/identity/v3/auth/tokens', { body: { auth: { identity, ...(scope ? { scope } : {}) } } });
  if (answer.status !== 201) throw new Error(`no token for ${user.name}: ${answer.status} ${answer.text}`);
  return answer.headers.get('x-subject-token')!;
}

async function makeTenant(call: TestCloud['call'], token: TestCloud['token'], name: string, roles = ['member']): ReturnType<TestCloud['tenant']> {
  const must = async (method: string, path: string, body?: unknown): Promise<TestResponse> => {
    const answer = await call(method, `/identity/v3${path}`, body === undefined ? {} : { body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const password = `password-of-${name}`;
  const project_id: string = (await must('POST', '/projects', { project: { name, domain_id: 'default' } })).json.project.id;
  const user_id: string = (await must('POST', '/users', { user: { name, domain_id: 'default', password } })).json.user.id;
  for (const role of roles) {
    const found = await must('GET', `/roles?name=${role}`);
    await must('PUT', `/projects/${project_id}/users/${user_id}/roles/${found.json.roles[0].id}`);
  }
  return { project_id, user_id, password, token: await token({ name, password, project: name }) };
}

