import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log/log.ts';
import { DEMO, fault, startNetwork, type NetworkFixture } from './support.ts';

let net: NetworkFixture;
before(async () => {
  net = await startNetwork();
});
after(() => net.close());

describe('security groups', () => {
  it('begin with a default one, which stays', async () => {
    const first = await Promise.all(Array.from({ length: 5 }, () => net.call('GET', '/v2.0/security-groups')));
    const ids = new Set(first.flatMap((response) => response.json.security_groups.map((group: any) => group.id)));
    assert.equal(ids.size, 1, 'however many look at once');
    const [group] = first[0]!.json.security_groups;
    const rules = group.security_group_rules.map((rule: any) => `${rule.direction} ${rule.ethertype} ${rule.remote_group_id === group.id}`).sort();
    assert.deepEqual(rules, ['egress IPv4 false', 'egress IPv6 false', 'ingress IPv4 true', 'ingress IPv6 true']);
    assert.deepEqual(fault(await net.call('DELETE', `/v2.0/security-groups/${group.id}`)), { status: 409, type: 'SecurityGroupCannotRemoveDefault', message: 'Insufficient rights for removing default security group.' });
    assert.equal(fault(await net.call('PUT', `/v2.0/security-groups/${group.id}`, { security_group: { name: 'x' } })).type, 'SecurityGroupCannotUpdateDefault');
    assert.equal(fault(await net.call('POST', '/v2.0/security-groups', { security_group: { name: 'Default' } })).type, 'SecurityGroupDefaultAlreadyExists');
  });

  it('take rules, each once', async () => {
    const group = await net.make('security-groups', { name: 'web' });
    assert.equal(group.security_group_rules.length, 2);
    const ask = (rule: Record<string, unknown>) => net.call('POST', '/v2.0/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'ingress', ...rule } });
    const made = (await ask({ protocol: 'tcp', port_range_min: '80', port_range_max: 80, remote_ip_prefix: '10.0.0.5/24' })).json.security_group_rule;
    assert.deepEqual([made.port_range_min, made.remote_ip_prefix, made.normalized_cidr, made.ethertype], [80, '10.0.0.5/24', '10.0.0.0/24', 'IPv4']);
    assert.deepEqual(fault(await ask({ protocol: '6', port_range_min: 80, port_range_max: 80, remote_ip_prefix: '10.0.0.5/24' })), { status: 409, type: 'SecurityGroupRuleExists', message: `Security group rule already exists. Rule id is ${made.id}.` });
    const racing = await Promise.all(Array.from({ length: 5 }, () => ask({ protocol: 'udp' })));
    assert.equal(racing.filter((response) => response.status === 201).length, 1);
    assert.equal(fault(await ask({ remote_group_id: 'nowhere' })).type, 'SecurityGroupNotFound');
    assert.equal(fault(await ask({ protocol: 'bogus' })).type, 'SecurityGroupRuleInvalidProtocol');
    assert.equal(fault(await ask({ ethertype: 'IPv5' })).type, 'SecurityGroupRuleInvalidEtherType');
    assert.equal(fault(await ask({ direction: 'up' })).message, "Invalid input for direction. Reason: up is not in ['ingress', 'egress'].");
    const bulk = await net.call('POST', '/v2.0/security-group-rules', { security_group_rules: [{ security_group_id: group.id, direction: 'ingress', protocol: 'icmp' }, { security_group_id: group.id, direction: 'ingress', protocol: 'icmp' }] });
    assert.equal(fault(bulk).type, 'DuplicateSecurityGroupRuleInPost');
    assert.equal((await net.call('DELETE', `/v2.0/security-group-rules/${made.id}`)).status, 204);
    assert.equal(fault(await net.call('GET', `/v2.0/security-group-rules/${made.id}`)).type, 'SecurityGroupRuleNotFound');
    const foreign = await net.call('POST', '/v2.0/security-group-rules', { security_group_rule: { security_group_id: group.id, direction: 'egress' } }, 'other');
    assert.equal(fault(foreign).message, `Security group ${group.id} does not exist`);
  });

  it('of a deleted project go with it', async () => {
    await net.call('GET', '/v2.0/security-groups', undefined, 'other');
    const count = async (): Promise<number> => (await net.call('GET', '/v2.0/security-groups?name=default', undefined, 'admin')).json.security_groups.length;
    const before = await count();
    net.deleteProject('e'.repeat(32));
    while ((await count()) !== before - 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await net.call('GET', `/v2.0/security-groups?project_id=${DEMO}&name=default`, undefined, 'admin')).json.security_groups.length, 1);
  });

  it('of a project whose end went unnoticed are found later', async () => {
    await net.call('GET', '/v2.0/security-groups', undefined, 'other');
    net.loseProject('e'.repeat(32));
    const [job] = net.network.service.jobs;
    assert.deepEqual(await job!.run({ log: silentLog, clock: systemClock, signal: new AbortController().signal }), { forgotten: 1 });
    assert.deepEqual((await net.call('GET', `/v2.0/security-groups?name=default&fields=project_id`, undefined, 'admin')).json.security_groups.filter((group: any) => group.project_id === 'e'.repeat(32)), []);
  });
});
