import type { ContainerGroupRefusal } from './container-group.port.js';

const AZURE = 'https://management.azure.com';
const EARLY_VERSION = '2018-02-01-preview';
const LINE = '-'.repeat(80);
const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** What a connector writes into the status of a pod: the error of the library that it asks Azure with, as it is. */
export function refusalWords(
  { id, status, code, message }: ContainerGroupRefusal,
  generation: 'early' | 'addon',
): string {
  switch (generation) {
    case 'early':
      return `api call to ${AZURE}${id}?api-version=${EARLY_VERSION}: got HTTP response status code ${status} error code "${code}": ${message}`;
    case 'addon':
      return [
        `PUT ${AZURE}${id}`,
        LINE,
        `RESPONSE ${status}: ${status} ${STATUS_TEXTS[status] ?? ''}`,
        `ERROR CODE: ${code}`,
        LINE,
        JSON.stringify({ error: { code, message } }, null, 2),
        LINE,
        '',
      ].join('\n');
  }
}
