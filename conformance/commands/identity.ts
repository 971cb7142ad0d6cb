/** Every command of identity once, in an order in which each has what it needs. */
import { type Scene, step, type Step } from './step.ts';

const PASSWORD = 'a-password-for-the-run-1';
const NEW_PASSWORD = 'a-password-for-the-run-2';
const MAPPING = JSON.stringify([{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'REMOTE_USER' }] }]);
const OTHER_MAPPING = JSON.stringify([{ local: [{ user: { name: '{0}' }, group: { id: '0'.repeat(32) } }], remote: [{ type: 'REMOTE_USER' }] }]);
const RULES = JSON.stringify([{ path: '/v2.1/servers', method: 'GET', service: 'compute' }]);

const named = (what: string) => (run: Scene): string[] => [run.name(what)];
const described = (what: string) => (run: Scene): string[] => ['--description', 'changed', run.name(what)];
const id = (what: string) => (run: Scene): string[] => [run.saved(what)];
const none = (): string[] => [];

const actors: Step[] = [
  step('domain create', (run) => ['--description', 'of the run', run.name('domain')]),
  step('domain list', none),
  step('domain show', named('domain')),
  step('project create', (run) => ['--domain', 'default', '--description', 'of the run', run.name('project')]),
  step('project list', none),
  step('project show', named('project')),
  step('project set', described('project')),
  step('user create', (run) => ['--domain', 'default', '--password', PASSWORD, run.name('user')]),
  step('user list', none),
  step('user show', named('user')),
  step('user set', (run) => ['--email', 'user@example.org', run.name('user')]),
  step('group create', (run) => ['--domain', 'default', run.name('group')]),
  step('group list', none),
  step('group show', named('group')),
  step('group set', described('group')),
  step('group add user', (run) => [run.name('group'), run.name('user')]),
  step('group contains user', (run) => [run.name('group'), run.name('user')]),
  step('group remove user', (run) => [run.name('group'), run.name('user')]),
  step('role create', named('role')),
  step('role list', none),
  step('role show', named('role')),
  step('role set', described('role')),
  step('role add', (run) => ['--project', run.name('project'), '--user', run.name('user'), 'member']),
  step('role assignment list', (run) => ['--user', run.name('user'), '--names']),
  step('implied role create', (run) => [run.name('role'), '--implied-role', 'reader']),
  step('implied role list', none),
  step('implied role delete', (run) => [run.name('role'), '--implied-role', 'reader']),
  step('user password set', () => ['--original-password', PASSWORD, '--password', NEW_PASSWORD], {
    env: (run) => ({ OS_USERNAME: run.name('user'), OS_PASSWORD: PASSWORD, OS_PROJECT_NAME: run.name('project') }),
  }),
];

const catalog: Step[] = [
  step('region create', named('region')),
  step('region list', none),
  step('region show', named('region')),
  step('region set', described('region')),
  step('service create', (run) => ['--name', run.name('service'), run.name('type')]),
  step('service list', none),
  step('service show', named('service')),
  step('service set', described('service')),
  step('endpoint create', (run) => ['--region', run.name('region'), run.name('service'), 'public', 'http://endpoint.example.org/v1'], { save: { endpoint: 'id' } }),
  step('endpoint list', none),
  step('endpoint show', id('endpoint')),
  step('endpoint set', (run) => ['--url', 'http://endpoint.example.org/v2', run.saved('endpoint')]),
  step('endpoint add project', (run) => [run.saved('endpoint'), run.name('project')]),
  step('endpoint remove project', (run) => [run.saved('endpoint'), run.name('project')]),
  step('endpoint group create', (run) => [run.name('endpoints'), run.file('filters.json', '{"interface": "public"}')]),
  step('endpoint group list', none),
  step('endpoint group show', named('endpoints')),
  step('endpoint group set', described('endpoints')),
  step('endpoint group add project', (run) => [run.name('endpoints'), run.name('project')]),
  step('endpoint group remove project', (run) => [run.name('endpoints'), run.name('project')]),
  step('endpoint group delete', named('endpoints')),
  step('catalog list', none),
  step('catalog show', () => ['identity']),
];

const limits: Step[] = [
  step('registered limit create', (run) => ['--service', run.name('service'), '--region', run.name('region'), '--default-limit', '10', run.name('resource')], { save: { registered: 'id' } }),
  step('registered limit list', none),
  step('registered limit show', id('registered')),
  step('registered limit set', (run) => ['--default-limit', '20', run.saved('registered')]),
  step('limit create', (run) => ['--project', run.name('project'), '--service', run.name('service'), '--region', run.name('region'), '--resource-limit', '5', run.name('resource')], { save: { limit: 'id' } }),
  step('limit list', none),
  step('limit show', id('limit')),
  step('limit set', (run) => ['--resource-limit', '6', run.saved('limit')]),
  step('limit delete', id('limit')),
  step('registered limit delete', id('registered')),
];

const credentials: Step[] = [
  step('policy create', (run) => [run.file('policy.json', '{"rule": "role:admin"}')], { save: { policy: 'id' } }),
  step('policy list', none),
  step('policy show', id('policy')),
  step('policy set', (run) => ['--rules', run.file('policy.json', '{"rule": "role:reader"}'), run.saved('policy')]),
  step('policy delete', id('policy')),
  step('credential create', (run) => ['--type', 'cert', '--project', run.name('project'), run.name('user'), 'secret'], { save: { credential: 'id' } }),
  step('credential list', none),
  step('credential show', id('credential')),
  step('credential set', (run) => ['--user', run.name('user'), '--type', 'cert', '--data', 'other', '--project', run.name('project'), run.saved('credential')]),
  step('credential delete', id('credential')),
  step('ec2 credentials create', none, { save: { access: 'access' } }),
  step('ec2 credentials list', none),
  step('ec2 credentials show', id('access')),
  step('ec2 credentials delete', id('access')),
  step('application credential create', (run) => ['--access-rules', run.file('rules.json', RULES), run.name('application')]),
  step('application credential list', none),
  step('application credential show', named('application')),
  step('access rule list', none, { save: { rule: 'ID' } }),
  step('access rule show', id('rule')),
  step('application credential delete', named('application')),
  step('access rule delete', id('rule')),
  step('consumer create', () => ['--description', 'of the run'], { save: { consumer: 'id', consumer_secret: 'secret' } }),
  step('consumer list', none),
  step('consumer show', id('consumer')),
  step('consumer set', (run) => ['--description', 'changed', run.saved('consumer')]),
  step('request token create', (run) => ['--consumer-key', run.saved('consumer'), '--consumer-secret', run.saved('consumer_secret'), '--project', 'admin'], {
    save: { request: 'id', request_secret: 'secret' },
  }),
  step('request token authorize', (run) => ['--request-key', run.saved('request'), '--role', 'admin'], { save: { verifier: 'oauth_verifier' } }),
  step('access token create', (run) => [
    '--consumer-key', run.saved('consumer'), '--consumer-secret', run.saved('consumer_secret'),
    '--request-key', run.saved('request'), '--request-secret', run.saved('request_secret'), '--verifier', run.saved('verifier'),
  ]),
  step('consumer delete', id('consumer')),
  step('trust create', (run) => ['--project', 'admin', '--role', 'admin', 'admin', run.name('user')], { save: { trust: 'id' } }),
  step('trust list', none),
  step('trust show', id('trust')),
  step('trust delete', id('trust')),
  step('token issue', none, { save: { token: 'id' } }),
  step('token revoke', id('token')),
];

const withProvider = (run: Scene): string[] => ['--identity-provider', run.name('idp')];

const federation: Step[] = [
  step('identity provider create', (run) => ['--domain', run.name('domain'), '--remote-id', run.name('remote'), run.name('idp')]),
  step('identity provider list', none),
  step('identity provider show', named('idp')),
  step('identity provider set', described('idp')),
  step('mapping create', (run) => ['--rules', run.file('mapping.json', MAPPING), run.name('mapping')]),
  step('mapping list', none),
  step('mapping show', named('mapping')),
  step('mapping set', (run) => ['--rules', run.file('mapping.json', OTHER_MAPPING), run.name('mapping')]),
  step('federation protocol create', (run) => [...withProvider(run), '--mapping', run.name('mapping'), 'mapped']),
  step('federation protocol list', withProvider),
  step('federation protocol show', (run) => [...withProvider(run), 'mapped']),
  step('federation protocol set', (run) => [...withProvider(run), '--mapping', run.name('mapping'), 'mapped'], {
    clientFault: { error: /^<zip object at /, why: 'the client takes the answer for its exit status' },
  }),
  step('federation protocol delete', (run) => [...withProvider(run), 'mapped']),
  step('mapping delete', named('mapping')),
  step('identity provider delete', named('idp')),
  step('service provider create', (run) => ['--auth-url', 'http://sp.example.org/v3', '--service-provider-url', 'http://sp.example.org/saml', run.name('sp')]),
  step('service provider list', none),
  step('service provider show', named('sp')),
  step('service provider set', described('sp')),
  step('service provider delete', named('sp')),
  step('federation domain list', none),
  step('federation project list', none),
];

const farewell: Step[] = [
  step('endpoint delete', id('endpoint')),
  step('service delete', named('service')),
  step('region delete', named('region')),
  step('role remove', (run) => ['--project', run.name('project'), '--user', run.name('user'), 'member']),
  step('role delete', named('role')),
  step('group delete', named('group')),
  step('user delete', named('user')),
  step('project delete', named('project')),
  step('domain set', (run) => ['--disable', run.name('domain')]),
  step('domain delete', named('domain')),
];

export const identitySteps: Step[] = [...actors, ...catalog, ...limits, ...credentials, ...federation, ...farewell];
