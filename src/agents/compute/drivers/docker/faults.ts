/** From what the engine says to what a user may read. */
import { badRequest, conflict, Fault, isFault, notFound, unavailable } from '../../../../kernel/fault.ts';
import { EngineError } from './engine-error.ts';
import { TarError } from '../../../../kernel/tar.ts';

export function unknownServer(serverId: string): Fault {
  return notFound('compute.server-unknown', `This node has no server ${serverId}.`);
}

export function wrongState(serverId: string, action: string, state: string): Fault {
  return conflict('compute.wrong-state', `Cannot ${action} server ${serverId} while it is ${state}.`);
}

/** Any error of `doing` as a fault; `fallback` is the code for what the engine refused for a reason we do not know. */
export function toFault(error: unknown, fallback: string, doing: string): Fault {
  if (isFault(error)) return error;
  if (error instanceof TarError) return badRequest('compute.image-invalid', `The image cannot be used: ${error.message}.`, { cause: error });
  if (!(error instanceof EngineError)) return new Fault(500, fallback, `Could not ${doing}: an unexpected error on the node.`, { cause: error });
  if (error.reason === 'unreachable') {
    return unavailable('compute.engine-unavailable', `Could not ${doing}: the Docker engine of the node does not answer.`, { cause: error });
  }
  if (error.reason === 'timeout') {
    return unavailable('compute.engine-timeout', `Could not ${doing}: the Docker engine of the node gave ${error.message}.`, { cause: error });
  }
  if (/no space left on device|disk quota exceeded/i.test(error.message)) {
    return new Fault(507, 'compute.disk-full', `Could not ${doing}: the node's disk is full.`, { cause: error });
  }
  if (/\btransport\b|rpc error|containerd.*(unavailable|connection)|error while dialing|: unavailable$/i.test(error.message)) {
    return unavailable('compute.engine-unavailable', `Could not ${doing}: a part of the node's Docker engine does not answer.`, { cause: error });
  }
  if (/unknown (or invalid )?runtime/i.test(error.message)) {
    return unavailable('compute.runtime-missing', `Could not ${doing}: the Docker engine of the node does not know the runtime "${/unknown (?:or invalid )?runtime(?: specified| name:)? "?([\w.-]+)/i.exec(error.message)?.[1] ?? 'gantry'}".`, { cause: error });
  }
  if (/no command specified/i.test(error.message)) {
    return badRequest('compute.image-invalid', 'The image names no command to run; give the server one.', { cause: error });
  }
  if (error.status === 404 && /no such container/i.test(error.message)) {
    return notFound('compute.server-unknown', `Could not ${doing}: it is not on this node any more.`, { cause: error });
  }
  const status = error.status === 409 ? 409 : 500;
  return new Fault(status, fallback, `Could not ${doing}: ${reasonOf(error.message)}.`, { cause: error });
}

/** The last, telling part of the engine's nested messages, without paths of the node. */
export function reasonOf(message: string): string {
  const marks = ['unable to start container process: ', 'starting container process caused: ', 'OCI runtime create failed: ', 'Error response from daemon: '];
  let text = message.trim();
  for (const mark of marks) {
    const at = text.lastIndexOf(mark);
    if (at < 0) continue;
    text = text.slice(at + mark.length);
    break;
  }
  text = text.replace(/(: unknown)+$/, '').replace(/^gantry: /, '').replace(/\/(?:var\/lib|var\/run|run)\/[^\s"':,)]+/g, '…').replace(/\.$/, '');
  return text.length > 500 ? `${text.slice(0, 497)}...` : text;
}
