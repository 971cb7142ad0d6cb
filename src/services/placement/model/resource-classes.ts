import { badRequest } from '../../../kernel/fault.ts';

/** os-resource-classes' standard names. */
export const STANDARD_CLASSES = [
  'VCPU', 'MEMORY_MB', 'DISK_GB', 'PCI_DEVICE', 'SRIOV_NET_VF', 'NUMA_SOCKET', 'NUMA_CORE', 'NUMA_THREAD', 'NUMA_MEMORY_MB', 'IPV4_ADDRESS', 'VGPU',
  'VGPU_DISPLAY_HEAD', 'NET_BW_EGR_KILOBIT_PER_SEC', 'NET_BW_IGR_KILOBIT_PER_SEC', 'PCPU', 'MEM_ENCRYPTION_CONTEXT', 'FPGA', 'PGPU',
  'NET_PACKET_RATE_KILOPACKET_PER_SEC', 'NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC', 'NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC',
];

/** os-traits' names that mean something to a host of containers. */
export const STANDARD_TRAITS = [
  'COMPUTE_NODE', 'COMPUTE_STATUS_DISABLED', 'COMPUTE_DEVICE_TAGGING', 'COMPUTE_IMAGE_TYPE_RAW', 'COMPUTE_IMAGE_TYPE_QCOW2', 'COMPUTE_MEM_BACKING_FILE',
  'COMPUTE_NET_ATTACH_INTERFACE', 'COMPUTE_TRUSTED_CERTS', 'COMPUTE_RESCUE_BFV',
  'HW_ARCH_X86_64', 'HW_ARCH_AARCH64', 'STORAGE_DISK_SSD', 'STORAGE_DISK_HDD', 'HW_CPU_HYPERTHREADING',
  'HW_CPU_X86_ABM', 'HW_CPU_X86_AESNI', 'HW_CPU_X86_AVX', 'HW_CPU_X86_AVX2', 'HW_CPU_X86_AVX512BW', 'HW_CPU_X86_AVX512CD', 'HW_CPU_X86_AVX512DQ',
  'HW_CPU_X86_AVX512F', 'HW_CPU_X86_AVX512IFMA', 'HW_CPU_X86_AVX512VBMI', 'HW_CPU_X86_AVX512VL', 'HW_CPU_X86_AVX512VNNI', 'HW_CPU_X86_BMI',
  'HW_CPU_X86_BMI2', 'HW_CPU_X86_CLMUL', 'HW_CPU_X86_F16C', 'HW_CPU_X86_FMA3', 'HW_CPU_X86_FMA4', 'HW_CPU_X86_MMX', 'HW_CPU_X86_MPX',
  'HW_CPU_X86_SHA', 'HW_CPU_X86_SSE', 'HW_CPU_X86_SSE2', 'HW_CPU_X86_SSE3', 'HW_CPU_X86_SSE41', 'HW_CPU_X86_SSE42', 'HW_CPU_X86_SSE4A',
  'HW_CPU_X86_SSSE3', 'HW_CPU_X86_SVM', 'HW_CPU_X86_TBM', 'HW_CPU_X86_TSX', 'HW_CPU_X86_VMX', 'HW_CPU_X86_XOP',
];

export const CUSTOM_NAME = '^CUSTOM_[A-Z0-9_]+$';

/** `VCPU:1,MEMORY_MB:256`. Faults: 400. */
export function parseResources(text: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const part of text.split(',')) {
    const match = /^([A-Z0-9_]+):(\d{1,9})$/.exec(part.trim());
    if (!match || Number(match[2]) < 1) throw badRequest('placement.resources', `Badly formed resources parameter. Expected resources query string parameter in form: ?resources=VCPU:2,MEMORY_MB:1024. Got: ${text.slice(0, 100)}.`);
    out[match[1]!] = Number(match[2]);
  }
  return out;
}
