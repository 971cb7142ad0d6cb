import { badRequest, notImplemented } from '../../kernel/fault.ts';
import { serveConsole, type OpenStream } from './consoles.ts';
import type { ConsoleRequest } from './console-protocol.ts';
import { computeMethods, type ComputeDriver, type ConvertDisk, type GuestLimits, type GuestSpec, type GuestVolume, type ImageRef, type PasswordHash, type PowerAction, type Unrescue } from './protocol.ts';

export type Handler = (params: unknown) => Promise<unknown>;

/**
 * The driver behind the bus: one handler per call of `computeMethods`. Parameters are
 * `{ spec }` for spawn, `{ server_id, action }` for power, `{ spec }` for rescue, `{ server_id, how }` for unrescue, `{ server_id, signal }`, `{ server_id, passwords }`, `{ server_id, limits }` for
 * resize, `{ server_id, path }` for sendLayer, `{ server_id, volume }` for attachVolume, `{ server_id, volume_id, force? }` for detachVolume, `{ server_id, volume_id }` for volumeExtended, `{ server_id, lines? }` for console, `{ image }` for prefetch, `{ server_id, stream_id, request }`
 * for openConsole, `{ server_id, image_id }` for capture, `{ image_id }` for what follows it and for dropImage, `{ server_id }` for the others, nothing for list and
 * resources; `{ asked }` for convertDisk. Replies are the driver's; undefined becomes null.
 */
export function computeHandlers(driver: ComputeDriver, emit: (event: string, params: unknown) => void = () => {}, openStream: OpenStream = noStreams): Record<string, Handler> {
  return {
    [computeMethods.spawn]: (params) => driver.spawn(field<GuestSpec>(params, 'spec', 'object')),
    [computeMethods.power]: (params) => driver.power(serverId(params), field<PowerAction>(params, 'action', 'object')),
    [computeMethods.rescue]: (params) => driver.rescue(field<GuestSpec>(params, 'spec', 'object')),
    [computeMethods.unrescue]: (params) => driver.unrescue(serverId(params), field<Unrescue>(params, 'how', 'object')),
    [computeMethods.signal]: async (params) => {
      await driver.signal(serverId(params), field<string>(params, 'signal', 'string'));
      return null;
    },
    [computeMethods.setPasswords]: async (params) => {
      await driver.setPasswords(serverId(params), field<PasswordHash[]>(params, 'passwords', 'object'));
      return null;
    },
    [computeMethods.resize]: (params) => driver.resize(serverId(params), field<GuestLimits>(params, 'limits', 'object')),
    [computeMethods.sendLayer]: (params) => driver.sendLayer(serverId(params), field<string>(params, 'path', 'string')),
    [computeMethods.attachVolume]: (params) => driver.attachVolume(serverId(params), field<GuestVolume>(params, 'volume', 'object')),
    [computeMethods.detachVolume]: async (params) => {
      await driver.detachVolume(serverId(params), field<string>(params, 'volume_id', 'string'), (params as { force?: boolean }).force === true);
      return null;
    },
    [computeMethods.volumeExtended]: async (params) => {
      await driver.volumeExtended(serverId(params), field<string>(params, 'volume_id', 'string'));
      return null;
    },
    [computeMethods.destroy]: async (params) => {
      await driver.destroy(serverId(params));
      return null;
    },
    [computeMethods.inspect]: async (params) => (await driver.inspect(serverId(params))) ?? null,
    [computeMethods.list]: () => driver.list(),
    [computeMethods.console]: (params) => driver.consoleOutput(serverId(params), optionalNumber(params, 'lines')),
    [computeMethods.openConsole]: (params) => serveConsole(driver, openStream, serverId(params), field<string>(params, 'stream_id', 'string'), field<ConsoleRequest>(params, 'request', 'object')),
    [computeMethods.diagnostics]: (params) => driver.diagnostics(serverId(params)),
    [computeMethods.resources]: () => driver.resources(),
    [computeMethods.prefetch]: (params) => driver.prefetch(field<ImageRef>(params, 'image', 'object')),
    [computeMethods.capture]: (params) => driver.capture(serverId(params), imageId(params)),
    [computeMethods.sendCapture]: (params) => driver.sendCapture(imageId(params)),
    [computeMethods.dropCapture]: async (params) => {
      await driver.dropCapture(imageId(params));
      return null;
    },
    [computeMethods.keptImages]: () => driver.keptImages(),
    [computeMethods.dropImage]: (params) => driver.dropImage(imageId(params)),
    [computeMethods.convertDisk]: (params) => driver.convertDisk(field<ConvertDisk>(params, 'asked', 'object'), (progress) => emit(computeMethods.convertProgress, progress)),
  };
}

const noStreams: OpenStream = () => {
  throw notImplemented('compute.streams-unsupported', 'This node opens no streams.');
};

function serverId(params: unknown): string {
  return field<string>(params, 'server_id', 'string');
}

function imageId(params: unknown): string {
  return field<string>(params, 'image_id', 'string');
}

function field<T>(params: unknown, name: string, type: 'object' | 'string'): T {
  const value = (params as Record<string, unknown> | null | undefined)?.[name];
  if (typeof value !== type || value === null) throw badRequest('compute.call-invalid', `The call needs "${name}".`);
  return value as T;
}

function optionalNumber(params: unknown, name: string): number | undefined {
  const value = (params as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'number' ? value : undefined;
}
