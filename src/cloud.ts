/** The composition root of the controller: builds the services, hands each what it may use of the others, starts and stops. */
import { endpoint } from './kernel/api/endpoint.ts';
import { openApi } from './kernel/api/openapi.ts';
import { createNodeLink, type NodeLink } from './kernel/bus/node-link.ts';
import { nodeMigrations } from './kernel/bus/node-migrations.ts';
import { type Clock, systemClock } from './kernel/clock.ts';
import { type Config, coreSections } from './kernel/config/config.ts';
import type { Database } from './kernel/db/database.ts';
import { migrate } from './kernel/db/migrate.ts';
import { openDatabase } from './kernel/db/open.ts';
import { createHttpServer } from './kernel/http/server.ts';
import { defineJob } from './kernel/job/reconciler.ts';
import { createJobs } from './kernel/job/schedule.ts';
import type { Log } from './kernel/log/log.ts';
import { createEnforcer } from './kernel/policy/enforce.ts';
import type { RuleSource } from './kernel/policy/rule.ts';
import type { Service, Surface } from './kernel/service.ts';
import { taskMigrations } from './kernel/task/migrations.ts';
import { createTasks, type Tasks } from './kernel/task/tasks.ts';
import { ComputeSection } from './services/compute/config.ts';
import { createComputeService } from './services/compute/index.ts';
import { IdentitySection } from './services/identity/config.ts';
import { createIdentityService } from './services/identity/index.ts';
import { ImageSection } from './services/image/config.ts';
import { createImageService } from './services/image/index.ts';
import { NetworkSection } from './services/network/config.ts';
import { createNetworkService } from './services/network/index.ts';
import { createPlacementService } from './services/placement/index.ts';

/** The services' sections of gantry.toml. */
export const serviceSections = { identity: IdentitySection, image: ImageSection, compute: ComputeSection, network: NetworkSection } as const;
export type CloudConfig = Config<typeof serviceSections>;
export const allSections = { ...coreSections, ...serviceSections };

export const VERSION = '0.1.0';

/** What the catalogue lists, and under which path of the one port. */
export const catalogue = [
  { type: 'identity', name: 'keystone', path: '/identity/v3' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'placement', name: 'placement', path: '/placement' },
  { type: 'network', name: 'neutron', path: '/networking' },
];

export interface CloudOptions {
  config: CloudConfig;
  log: Log;
  clock?: Clock;
  /** First password of user admin; asked for only when the cloud is made. */
  adminPassword: () => string;
  joinToken: () => string;
  policyOverrides?: Record<string, RuleSource>;
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
  const parts = await buildServices({ ...options, clock, db, nodes, tasks });
  const { services } = parts;
  await migrate(db, [...nodeMigrations, ...taskMigrations, ...services.flatMap((service) => service.migrations)]);
  const surfaces: Surface[] = [...services, rootSurface(services)];
  const server = await createHttpServer({
    surfaces,
    log,
    clock,
    gate: {
      authenticate: (token) => parts.identity.client.authenticate(token),
      authenticateNode: (header) => nodes.authenticateNode(header),
      enforcer: createEnforcer(services.flatMap((service) => service.policies), options.policyOverrides),
      checkReplies: options.checkReplies ?? false,
    },
  });
  nodes.attach(server.node);
  tasks.register(...services.flatMap((service) => service.tasks));
  const jobs = createJobs({ jobs: [...services.flatMap((service) => service.jobs), pruneTasks(tasks, clock)], log, clock });
  parts.pokeJobs(jobs.poke);
  await parts.start();
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
