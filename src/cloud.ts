/** The composition root of the controller: builds the services, hands each what it may use of the others, starts and stops. */
import { endpoint } from './kernel/api/endpoint.ts';
import { openApi } from './kernel/api/openapi.ts';
import { LINK_PATH } from './kernel/bus/frames.ts';
import { STREAM_PATH } from './kernel/bus/node-streams.ts';
import { createNodeLink, type NodeLink } from './kernel/bus/node-link.ts';
import { nodeMigrations } from './kernel/bus/node-migrations.ts';
import { type Clock, systemClock } from './kernel/clock.ts';
import type { Database } from './kernel/db/database.ts';
import { migrate } from './kernel/db/migrate.ts';
import { openDatabase } from './kernel/db/open.ts';
import { createHttpServer } from './kernel/http/server.ts';
import { defineJob } from './kernel/job/reconciler.ts';
import { createJobs } from './kernel/job/schedule.ts';
import type { Log } from './kernel/log/log.ts';
import { createEnforcer } from './kernel/policy/enforce.ts';
import type { PolicyFile } from './kernel/policy/file.ts';
import type { Service, Surface } from './kernel/service.ts';
import { taskMigrations } from './kernel/task/migrations.ts';
import { createTasks, type Tasks } from './kernel/task/tasks.ts';
import type { CloudConfig } from './cloud-config.ts';
import { buildServices } from './cloud-services.ts';

export const VERSION = '0.1.0';

export interface CloudOptions {
  config: CloudConfig;
  log: Log;
  clock?: Clock;
  /** First password of user admin; asked for only when the cloud is made. */
  adminPassword: () => string;
  joinToken: () => string;
  /** What an operator's file says in place of the built-in rules. */
  policy?: PolicyFile;
  /** Tests: every reply is checked against its schema. */
  checkReplies?: boolean;
}

export interface Cloud {
  /** `http://127.0.0.1:5000` */
  url: string;
  surfaces: Surface[];
  db: Database;
  tasks: Tasks;
  nodes: NodeLink;
  stop(): Promise<void>;
  /** Lets go at once, as a crash does: for tests. */
  crash(): Promise<void>;
}

/** Brings the controller up: migrated, bootstrapped, listening. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { config, log } = options;
  const clock = options.clock ?? systemClock;
  const db = await openDatabase(config.database.url, log);
  const nodes = createNodeLink({ db, log, clock, joinToken: options.joinToken });
  const tasks = createTasks({ db, log, clock, exclusive: db.dialect === 'sqlite' });
  const parts = await buildServices({ config, log, clock, db, nodes, tasks });
  const { services } = parts;
  await migrate(db, [...nodeMigrations, ...taskMigrations, ...services.flatMap((service) => service.migrations)]);
  const surfaces: Surface[] = [...services, rootSurface(services)];
  const server = await createHttpServer({
    surfaces,
    log,
    clock,
    upgradePaths: [LINK_PATH, STREAM_PATH],
    trusted_proxies: config.api.trusted_proxies,
    gate: {
      authenticate: (token) => parts.identity.client.authenticate(token),
      authenticateNode: (header) => nodes.authenticateNode(header),
      enforcer: createEnforcer(services.flatMap((service) => service.policies), options.policy?.overrides, options.policy),
      checkReplies: options.checkReplies ?? false,
    },
  });
  nodes.attach(server.node);
  tasks.register(...services.flatMap((service) => service.tasks));
  const jobs = createJobs({ jobs: [...services.flatMap((service) => service.jobs), pruneTasks(tasks, clock)], log, clock });
  await parts.start(options.adminPassword);
  await tasks.run();
  jobs.start();
  const port = await server.listen(config.api.host, config.api.port);
  const halt = async (): Promise<void> => {
    await jobs.stop();
    await nodes.close();
    await server.close();
    await parts.stop();
    await db.close();
  };
  return {
    url: `http://${config.api.host.includes(':') ? `[${config.api.host}]` : config.api.host}:${port}`,
    surfaces, db, tasks, nodes,
    async stop() {
      await tasks.stop();
      await halt();
    },
    async crash() {
      tasks.crash();
      await halt();
    },
  };
}

/** `/` and the description of the whole port. */
function rootSurface(services: Service[]): Surface {
  return {
    name: 'gantry',
    prefix: '',
    policies: [],
    formatFault: (fault) => ({ contentType: 'application/json', body: JSON.stringify({ error: { code: fault.status, message: fault.message } }) }),
    endpoints: [
      endpoint({
        id: 'root', method: 'GET', path: '/', summary: 'What is here', policy: 'public', status: 200,
        handler: (call) => ({ name: 'gantry', version: VERSION, services: services.map((service) => ({ name: service.name, url: call.base + service.prefix })) }),
      }),
      endpoint({ id: 'openapi', method: 'GET', path: '/openapi.json', summary: 'All calls of this port', policy: 'public', status: 200, handler: () => openApi(services, VERSION) }),
    ],
  };
}

const KEEP_TASKS_MS = 7 * 24 * 3_600_000;

function pruneTasks(tasks: Tasks, clock: Clock) {
  return defineJob({
    name: 'kernel.prune-tasks',
    every_seconds: 3600,
    run: async () => ({ pruned: await tasks.prune(new Date(clock.now().getTime() - KEEP_TASKS_MS)), stuck: (await tasks.listStuck()).length }),
  });
}
