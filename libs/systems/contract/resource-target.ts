/** A resource that something is to be done with: resolved from a uid or an ARM id, known to the cache or not yet. */
export interface ResourceTarget {
  uid: string;
  /** As it was seen or given. */
  id: string;
  kind: string;
}
