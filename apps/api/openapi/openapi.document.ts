import { Inject, Injectable } from '@nestjs/common';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { API_SETTINGS, type ApiSettings } from '../api.settings.js';
import { buildOpenapi } from './openapi.builder.js';

/** The version of the public contract: /v1, and what was added to it since. */
export const API_VERSION = '1.0.0';

/** The OpenAPI document of this process, made once. */
@Injectable()
export class OpenapiDocument {
  readonly json: Record<string, unknown>;
  readonly text: string;

  constructor(registry: SystemRegistry, @Inject(API_SETTINGS) settings: ApiSettings) {
    this.json = buildOpenapi(registry, { version: API_VERSION, serverUrl: settings.publicUrl ?? '/' });
    this.text = JSON.stringify(this.json);
  }
}
