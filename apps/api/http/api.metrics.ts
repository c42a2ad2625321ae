import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { OpenStreams } from './open-streams.js';

/** What the API process measures of itself. Other parts may add their own to `registry`. */
export class ApiMetrics {
  readonly registry = new Registry();
  readonly #requestDuration: Histogram<'method' | 'route' | 'status'>;

  constructor(streams: OpenStreams) {
    collectDefaultMetrics({ register: this.registry });
    this.#requestDuration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the arrival of a request to the end of its answer, by route template.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
    new Gauge({
      name: 'http_open_streams',
      help: 'Event streams and subscriptions that are open now.',
      registers: [this.registry],
      collect() {
        this.set(streams.count);
      },
    });
  }

  /** `route` is the template, never the path: its number of values is bounded. */
  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requestDuration.observe({ method, route, status: String(status) }, seconds);
  }
}
