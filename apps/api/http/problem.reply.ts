import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONTROL_ERRORS, ControlError } from '#libs/kernel/control-error.js';
import { controlErrorOf } from './control-error.translator.js';
import { CORRELATION_HEADER, correlationIdOf } from './correlation-id.js';
import { problemHeaders, problemOf, type ProblemContext } from './problem.js';

/** Answers whatever was thrown with a problem, and logs what the sender must not see. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = controlErrorOf(thrown);
  request.problemCode = error.code;
  if (error.code === 'INTERNAL') request.log.error({ err: error }, 'request failed');
  const problem = problemOf(error, { instance: pathOf(request.url), correlationId: request.id });
  void reply
    .code(problem.status)
    .headers(problemHeaders(error))
    .header(CORRELATION_HEADER, request.id)
    .send(JSON.stringify(problem));
}

/** The path of a request target, without the query, and bounded. */
export function pathOf(url: string): string {
  return (url.split('?', 1)[0] ?? '').slice(0, 500);
}

/** Answers what is not HTTP enough to become a request. The sender may be gone already. */
export function sendConnectionProblem(fault: Error & { code?: string }, socket: Socket): void {
  sendSocketProblem(connectionError(fault), socket);
}

/** Answers on a bare connection, which ends with it. */
export function sendSocketProblem(error: ControlError, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const context: ProblemContext = { instance: '', correlationId: correlationIdOf(undefined) };
  const body = JSON.stringify(problemOf(error, context));
  const headers = {
    ...problemHeaders(error),
    [CORRELATION_HEADER]: context.correlationId,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status } = CONTROL_ERRORS[error.code];
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n${lines.join('')}\r\n${body}`);
}

function connectionError(fault: Error & { code?: string }): ControlError {
  switch (fault.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ControlError('HEADERS_TOO_LARGE', 'The request line and the headers are too large.', { cause: fault });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ControlError('REQUEST_TIMEOUT', 'The request did not arrive in time.', { cause: fault });
    default:
      return new ControlError('INVALID_REQUEST', 'This is not a valid HTTP request.', { cause: fault });
  }
}
