/** The files of a server's config drive: the same documents, as they were when it was made. Pure. */
import type { ConfigDrive } from '../../../../agents/compute/protocol.ts';
import { ec2MetaData } from './ec2.ts';
import type { InstanceFacts } from './facts.ts';
import { contentName, OPENSTACK_VERSIONS, openstackFile, openstackFiles } from './openstack.ts';

/** Equal files are given once, with all their names. */
export function configDrive(facts: InstanceFacts): ConfigDrive {
  const paths = new Map<string, string[]>();
  const add = (path: string, body: Buffer): void => {
    const content = body.toString('base64');
    paths.set(content, [...(paths.get(content) ?? []), path]);
  };
  for (const version of OPENSTACK_VERSIONS) {
    for (const name of openstackFiles(facts, version)) {
      const body = openstackFile(facts, version, name);
      if (body !== undefined) add(`openstack/${version}/${name}`, body);
    }
  }
  for (const version of ['2009-04-04', 'latest'] as const) {
    add(`ec2/${version}/meta-data.json`, Buffer.from(JSON.stringify(ec2MetaData(facts, version))));
    if (facts.user_data !== null) add(`ec2/${version}/user-data`, facts.user_data);
  }
  for (const [index, { content }] of facts.files.entries()) add(`openstack/content/${contentName(index)}`, Buffer.from(content, 'base64'));
  return { files: [...paths].map(([content, names]) => ({ content, paths: names })) };
}
