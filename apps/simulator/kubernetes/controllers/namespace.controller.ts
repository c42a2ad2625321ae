import { deterministicHex } from '../../deterministic-id.js';
import type { Controller, ControllerContext } from './controller.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

/** Gives each namespace what every namespace has. */
export class NamespaceController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} namespaces`, (name) => this.#sync(name));
    view.on('namespaces', ({ type, object }) => {
      if (type !== 'DELETED') this.#queue.add(object.metadata.name);
    });
    for (const resource of ['serviceaccounts', 'configmaps'])
      view.on(resource, ({ type, object }) => {
        // They come back when they are deleted.
        if (type === 'DELETED' && object.metadata.namespace !== undefined) this.#queue.add(object.metadata.namespace);
      });
    for (const { metadata } of view.list('namespaces')) this.#queue.add(metadata.name);
  }

  close(): void {
    this.#queue.close();
  }

  #sync(name: string): void {
    const { view } = this.context;
    const found = view.get('namespaces', undefined, name);
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
    const namespace = name;
    if (view.get('serviceaccounts', namespace, 'default') === undefined)
      view.create(
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } },
        WRITERS.serviceAccount,
      );
    if (view.get('configmaps', namespace, 'kube-root-ca.crt') === undefined)
      view.create(
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {
            name: 'kube-root-ca.crt',
            namespace,
            annotations: {
              'kubernetes.io/description':
                'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
            },
          },
          data: { 'ca.crt': certificate(view.cluster.key) },
        },
        WRITERS.rootCertificate,
      );
  }
}

/** Text in the form of a certificate: nobody verifies anything with it. */
function certificate(seed: string): string {
  const body = Buffer.from(deterministicHex(`ca|${seed}`, 768), 'hex').toString('base64');
  const lines = body.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
