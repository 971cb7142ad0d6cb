/** What a node tells of itself becomes traits of its provider (os_traits; nova/virt/libvirt/driver.py _get_cpu_traits). Pure. */
import type { HostResources } from '../../../agents/compute/protocol.ts';

/** By flag of /proc/cpuinfo; the trait is `HW_CPU_X86_` and the name. */
const FLAGS: Readonly<Record<string, string>> = {
  abm: 'ABM', aes: 'AESNI', avx: 'AVX', avx2: 'AVX2', avx512bw: 'AVX512BW', avx512cd: 'AVX512CD', avx512dq: 'AVX512DQ', avx512f: 'AVX512F',
  avx512ifma: 'AVX512IFMA', avx512vbmi: 'AVX512VBMI', avx512vl: 'AVX512VL', avx512_vnni: 'AVX512VNNI', bmi1: 'BMI', bmi2: 'BMI2', pclmulqdq: 'CLMUL',
  f16c: 'F16C', fma: 'FMA3', fma4: 'FMA4', mmx: 'MMX', mpx: 'MPX', sha_ni: 'SHA', sse: 'SSE', sse2: 'SSE2', pni: 'SSE3', sse4_1: 'SSE41', sse4_2: 'SSE42',
  sse4a: 'SSE4A', ssse3: 'SSSE3', svm: 'SVM', tbm: 'TBM', rtm: 'TSX', vmx: 'VMX', xop: 'XOP',
};
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'HW_ARCH_X86_64', aarch64: 'HW_ARCH_AARCH64' };
/** What the compute role can do on every node. */
const ALWAYS = ['COMPUTE_NODE', 'COMPUTE_NET_ATTACH_INTERFACE', 'COMPUTE_DEVICE_TAGGING', 'COMPUTE_IMAGE_TYPE_RAW', 'COMPUTE_IMAGE_TYPE_QCOW2'];

/** Every trait that a node may report: what it does not report of these, it has no more. */
export const reportableTraits: readonly string[] = [...ALWAYS, ...Object.values(FLAGS).map((name) => `HW_CPU_X86_${name}`), ...Object.values(ARCHITECTURES), 'HW_CPU_HYPERTHREADING'];

export function traitsOf({ cpu_info }: Pick<HostResources, 'cpu_info'>): string[] {
  const architecture = ARCHITECTURES[cpu_info.arch];
  return [
    ...ALWAYS,
    ...(architecture === undefined ? [] : [architecture]),
    ...cpu_info.features.flatMap((flag) => (flag in FLAGS ? [`HW_CPU_X86_${FLAGS[flag]}`] : [])),
    ...(cpu_info.topology.threads > 1 ? ['HW_CPU_HYPERTHREADING'] : []),
  ];
}
