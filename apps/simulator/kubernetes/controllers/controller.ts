import type { ClusterView } from './cluster.view.js';
import type { ClusterControllerOptions } from './controller.options.js';
import type { EventRecorder } from './event.recorder.js';
import type { WorkLoop } from './work.loop.js';

/** One control loop of a cluster. It does nothing more once closed. */
export interface Controller {
  close(): void;
}

/** What all control loops of one cluster share. */
export interface ControllerContext {
  view: ClusterView;
  loop: WorkLoop;
  events: EventRecorder;
  options: ClusterControllerOptions;
}
