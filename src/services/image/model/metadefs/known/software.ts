/** Which software an image, a volume or a server carries. */
import type { ObjectBody, PropertyBody } from '../bodies.ts';
import { define, type Definition, integer, object, onImages, onServers, text } from './define.ts';

const version = (product: string): PropertyBody => text('Version', `Version of ${product} that is installed.`);
const port = (title: string, description: string, value: number): PropertyBody => integer(title, description, { minimum: 1, maximum: 65_535, default: value });

interface Database {
  name: string;
  key: string;
  port?: number;
  /** Where the property has another name than `listen_port`. */
  portKey?: string;
  admin?: string | true;
  adminKey?: string;
  editions?: [string, ...string[]];
}

const DATABASES: Database[] = [
  { name: 'MySQL', key: 'mysql', port: 3306, admin: 'root' },
  { name: 'PostgreSQL', key: 'postgresql', port: 5432, admin: 'postgres' },
  {
    name: 'SQL Server', key: 'sqlserver', port: 1433, admin: 'sa', adminKey: 'sw_database_postsqlserver_admin',
    editions: ['Express', 'Enterprise', 'Standard', 'Web', 'Developer', 'Business Intelligence', 'Datacenter', 'Workgroup', 'LocalDB', 'Fast Track', 'Compact (SQL CE)', 'Embedded (SSEE)', 'Parallel Data Warehouse (PDW)', 'Datawarehouse Appliance Edition'],
  },
  { name: 'Oracle', key: 'oracle', port: 1521, editions: ['Express (XE)', 'Enterprise', 'Standard', 'Standard Edition One', 'Workgroup', 'Lite'] },
  { name: 'DB2', key: 'db2', port: 50_000, portKey: 'port', admin: true },
  { name: 'MongoDB', key: 'mongodb', port: 27_017, admin: true },
  { name: 'Couchbase Server', key: 'couchbaseserver', port: 11_211, admin: 'admin' },
  { name: 'Redis', key: 'redis', port: 6379, admin: 'admin' },
  { name: 'CouchDB', key: 'couchdb', port: 5984, admin: true },
  { name: 'Apache Cassandra', key: 'cassandra', port: 9160, admin: 'cassandra' },
  { name: 'HBase', key: 'hbase' },
  { name: 'Hazlecast', key: 'hazlecast', port: 5701, portKey: 'port' },
];

function database({ name, key, port: listens, portKey = 'listen_port', admin, adminKey, editions }: Database): ObjectBody {
  const prefix = `sw_database_${key}`;
  return object(name, `${name} is installed.`, {
    [`${prefix}_version`]: version(name),
    ...(editions ? { [`${prefix}_edition`]: text('Edition', `Edition of ${name}.`, { enum: editions, default: editions[0] }) } : {}),
    ...(listens === undefined ? {} : { [`${prefix}_${portKey}`]: port('Port', 'TCP port on which clients are served.', listens) }),
    ...(admin === undefined ? {} : { [adminKey ?? `${prefix}_admin`]: text('Administrator', 'User who administrates the databases.', admin === true ? {} : { default: admin }) }),
  });
}

function webServer(name: string, key: string): ObjectBody {
  return object(name, `${name} is installed.`, {
    [`sw_webserver_${key}_version`]: version(name),
    [`sw_webserver_${key}_http_port`]: port('HTTP port', 'TCP port for requests without encryption.', 80),
    [`sw_webserver_${key}_https_port`]: port('HTTPS port', 'TCP port for encrypted requests.', 443),
  });
}

const runtime = (name: string): ObjectBody => object(name, `Programs in ${name} can run.`, { [`sw_runtime_${name.toLowerCase()}_version`]: version(name) });

const onAll = [...onImages, ...onServers];

export const softwareDefinitions: Definition[] = [
  define('OS::Software::DBMS', 'Database software', 'Which database systems are installed, and how they are reached.', {
    resource_type_associations: [...onAll, { name: 'OS::Trove::Instance' }], objects: DATABASES.map(database),
  }),
  define('OS::Software::Runtimes', 'Runtime environments', 'For which languages a runtime is installed.', {
    resource_type_associations: onAll, objects: ['PHP', 'Python', 'Java', 'Ruby', 'Perl'].map(runtime),
  }),
  define('OS::Software::WebServers', 'Web servers', 'Which web servers are installed, and on which ports.', {
    resource_type_associations: onAll, objects: [webServer('Apache HTTP Server', 'apache'), webServer('Nginx', 'nginx'), webServer('IIS', 'iis')],
  }),
];
