import { Controller, Delete, Get, HttpCode, Param, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ClusterControl } from '#libs/control/cluster.control.js';
import type { AttachedClusterView, ClusterAccessView } from '#libs/control/cluster.view.js';
import { departureSignal } from '../http/departure-signal.js';
import { callerOf } from '../http/request.caller.js';
import { parseRequest } from '../http/request.parser.js';
import { clusterAccessRequest, clusterAttachRequest, noQuery } from './cluster.schemas.js';
import { bodyOf } from './operation.reply.js';

/** The access that Pilothouse has to clusters. */
@Controller('v1/clusters')
export class ClusterController {
  constructor(private readonly clusters: ClusterControl) {}

  @Post()
  @HttpCode(201)
  attach(@Req() request: FastifyRequest): Promise<AttachedClusterView> {
    parseRequest(noQuery, request.query, 'query');
    const body = parseRequest(clusterAttachRequest, bodyOf(request), 'body');
    return this.clusters.attach(callerOf(request), body, callOf(request));
  }

  @Delete(':uid')
  @HttpCode(204)
  detach(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    return this.clusters.detach(callerOf(request), uid, callOf(request));
  }

  @Get(':uid/access')
  getAccess(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<ClusterAccessView> {
    parseRequest(noQuery, request.query, 'query');
    return this.clusters.getAccess(callerOf(request), uid);
  }

  @Put(':uid/access')
  giveAccess(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<ClusterAccessView> {
    parseRequest(noQuery, request.query, 'query');
    const { kubeconfig } = parseRequest(clusterAccessRequest, bodyOf(request), 'body');
    return this.clusters.giveAccess(callerOf(request), uid, kubeconfig, callOf(request));
  }

  @Delete(':uid/access')
  @HttpCode(204)
  removeAccess(@Req() request: FastifyRequest, @Param('uid') uid: string): Promise<void> {
    parseRequest(noQuery, request.query, 'query');
    return this.clusters.removeAccess(callerOf(request), uid, callOf(request));
  }
}

function callOf(request: FastifyRequest): { correlationId: string; signal: AbortSignal } {
  return { correlationId: request.id, signal: departureSignal(request) };
}
