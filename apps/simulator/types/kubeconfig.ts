/** The application of AKS that Entra ID issues tokens for, and the public client that signs in for it. */
const SERVER_APPLICATION = '6dae42f8-4368-4678-94ff-3960e28e3630';
const CLIENT_APPLICATION = '80faf920-1908-4b52-b5ef-a8e7bedfc67a';

/** How a kubeconfig proves who calls: a fixed token, or the kubelogin plugin. */
export type KubeconfigUser = { kind: 'token'; token: string } | { kind: 'exec'; tenantId: string };

/** `{kubeconfigs: [{name, value}]}` with the value in base64, as ARM answers it. */
export function kubeconfigAnswer(
  credentialName: string,
  config: { cluster: string; server: string; userName: string; user: KubeconfigUser },
): { kubeconfigs: { name: string; value: string }[] } {
  return { kubeconfigs: [{ name: credentialName, value: Buffer.from(yamlOf(config), 'utf8').toString('base64') }] };
}

/**
 * Certificates are left out: the simulated API server is reached over plain HTTP on the loopback interface, where a
 * client neither checks a server certificate nor presents its own.
 */
function yamlOf(config: { cluster: string; server: string; userName: string; user: KubeconfigUser }): string {
  const { cluster, server, userName, user } = config;
  const lines = [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    server: ${server}`,
    `  name: ${cluster}`,
    'contexts:',
    '- context:',
    `    cluster: ${cluster}`,
    `    user: ${userName}`,
    `  name: ${cluster}`,
    `current-context: ${cluster}`,
    'kind: Config',
    'preferences: {}',
    'users:',
    `- name: ${userName}`,
    '  user:',
    ...(user.kind === 'token' ? [`    token: ${user.token}`] : execLines(user.tenantId)),
  ];
  return `${lines.join('\n')}\n`;
}

function execLines(tenantId: string): string[] {
  const argumentsOfPlugin = [
    'get-token',
    '--environment',
    'AzurePublicCloud',
    '--server-id',
    SERVER_APPLICATION,
    '--client-id',
    CLIENT_APPLICATION,
    '--tenant-id',
    tenantId,
    '--login',
    'devicecode',
  ];
  return [
    '    exec:',
    '      apiVersion: client.authentication.k8s.io/v1beta1',
    '      args:',
    ...argumentsOfPlugin.map((argument) => `      - ${argument}`),
    '      command: kubelogin',
    '      env: null',
    '      installHint: kubelogin is not installed; see https://aka.ms/aks/kubelogin',
    '      provideClusterInfo: false',
  ];
}
