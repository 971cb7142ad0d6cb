import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalAddress, canonicalMac, contains, defaultPools, eui64, formatAddress, formatPrefix, isHostAddress, overlaps, parseAddress, parsePrefix } from '../../../src/services/network/model/address.ts';

const version = fc.constantFrom(4 as const, 6 as const);
const value = (bits: bigint) => fc.bigInt({ min: 0n, max: (1n << bits) - 1n });
const address = version.chain((each) => value(each === 4 ? 32n : 128n).map((number) => ({ version: each, value: number })));
const prefix = address.chain((at) => fc.integer({ min: 1, max: at.version === 4 ? 32 : 128 }).map((length) => parsePrefix(`${formatAddress(at.value, at.version)}/${length}`)!));

describe('addresses', () => {
  it('read back as they were written', () => {
    fc.assert(fc.property(address, (at) => assert.deepEqual(parseAddress(formatAddress(at.value, at.version)), at)));
  });

  it('have one text only (RFC 5952)', () => {
    const same: [string, string][] = [
      ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'], ['::', '::'], ['::1', '::1'], ['1::', '1::'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], ['::ffff:192.0.2.1', '::ffff:c000:201'], ['10.0.0.1', '10.0.0.1'],
    ];
    for (const [written, shown] of same) assert.equal(canonicalAddress(written), shown);
    for (const wrong of ['', '10.0.0', '10.0.0.256', '010.0.0.1', '1.2.3.4.5', ':::', '1:2', '12345::', '1::2::3', 'g::', '10.0.0.1/24', ' 10.0.0.1']) assert.equal(canonicalAddress(wrong), undefined, wrong);
  });

  it('belong to the prefix they were cut from, whose canonical text is stable', () => {
    fc.assert(fc.property(prefix, (cut) => {
      assert.ok(contains(cut, { version: cut.version, value: cut.address }));
      assert.equal(formatPrefix(parsePrefix(formatPrefix(cut))!), formatPrefix(cut));
    }));
  });

  it('two prefixes overlap when one holds the other’s first address', () => {
    fc.assert(fc.property(prefix, prefix, (a, b) => {
      const holds = contains(a, { version: b.version, value: b.first }) || contains(b, { version: a.version, value: a.first });
      assert.equal(overlaps(a, b), holds);
    }));
  });

  it('default pools hold every host address but the gateway, and nothing else', () => {
    fc.assert(fc.property(value(32n), fc.integer({ min: 24, max: 30 }), fc.bigInt({ min: 0n, max: 255n }), (at, length, offset) => {
      const cut = parsePrefix(`${formatAddress(at, 4)}/${length}`)!;
      const gateway = cut.first + (offset % (cut.last - cut.first + 1n));
      const pools = defaultPools(cut, gateway);
      for (let one = cut.first; one <= cut.last; one++) {
        const inPool = pools.some((pool) => one >= pool.first && one <= pool.last);
        assert.equal(inPool, one !== gateway && isHostAddress(cut, { version: 4, value: one }));
      }
    }));
  });

  it('calculates EUI-64 as RFC 4291 has it', () => {
    assert.equal(eui64(parsePrefix('2001:db8::/64')!, 'fa:16:3e:11:22:33'), '2001:db8::f816:3eff:fe11:2233');
  });

  it('reads MAC addresses in their usual spellings', () => {
    for (const text of ['FA:16:3E:00:00:0a', 'fa-16-3e-0-0-a', 'fa16.3e00.000a', 'fa163e00000a']) assert.equal(canonicalMac(text), 'fa:16:3e:00:00:0a');
    for (const wrong of ['', 'fa:16:3e:00:00', 'fa:16:3e:00:00:0g', 'fa:16-3e:00:00:0a']) assert.equal(canonicalMac(wrong), undefined);
  });
});
