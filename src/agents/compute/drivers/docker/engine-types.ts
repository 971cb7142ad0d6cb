/** The parts of the Engine API's replies that the driver reads. */

export interface ContainerState {
  Status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  Running: boolean;
  Paused: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  /** Of containers with a health check. */
  Health?: { Status: string };
  StartedAt: string;
  FinishedAt: string;
}

export interface ContainerInspect {
  Id: string;
  Name: string;
  State: ContainerState;
  Config: { Labels: Record<string, string> | null; Tty: boolean; OpenStdin: boolean; ExposedPorts?: Record<string, object> | null };
  /** The storage driver, and where it keeps its layers. */
  Driver?: string;
  GraphDriver?: { Name?: string; Data?: Record<string, string> | null };
}

export interface ContainerSummary {
  Id: string;
  Names: string[];
  State: ContainerState['Status'];
  Labels: Record<string, string>;
}

export interface EngineInfo {
  DockerRootDir: string;
  ServerVersion: string;
  Runtimes: Record<string, unknown>;
}

export interface ContainerStats {
  cpu_stats: { cpu_usage: { total_usage: number } };
  memory_stats: { usage?: number; limit?: number; stats?: Record<string, number> };
  pids_stats: { current?: number };
  blkio_stats: { io_service_bytes_recursive: { op: string; value: number }[] | null };
}

export interface EngineEvent {
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  time: number;
  timeNano: number;
}
