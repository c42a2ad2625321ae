/** What the agents of Azure Arc in a cluster talk to, in every public region; the last one by websockets. */
export const ARC_AGENT_HOSTS: readonly string[] = [
  'management.azure.com',
  'login.microsoftonline.com',
  'mcr.microsoft.com',
  '*.dp.kubernetesconfiguration.azure.com',
  '*.his.arc.azure.com',
  '*.servicebus.windows.net',
];
