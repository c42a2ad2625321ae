/** As `metav1.Time` is written: whole seconds. */
export function kubernetesTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** As `metav1.MicroTime` is written. */
export function kubernetesMicroTime(time: Date): string {
  return `${time.toISOString().slice(0, -1)}000Z`;
}
