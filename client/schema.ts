// Generated from docs/openapi.json by `npm run client`; do not edit.

/** Every `code` of a problem; `GET /v1/errors` explains them. */
export type ProblemCode =
  | 'already_provisioned'
  | 'answer_not_kept'
  | 'api_key_not_found'
  | 'authority_exists'
  | 'authority_not_found'
  | 'batch_not_found'
  | 'body_too_large'
  | 'certificate_not_found'
  | 'claim_not_found'
  | 'client_not_found'
  | 'command_ended'
  | 'command_exists'
  | 'command_not_found'
  | 'conflict'
  | 'credential_not_found'
  | 'device_not_found'
  | 'email_taken'
  | 'forbidden'
  | 'group_exists'
  | 'group_not_empty'
  | 'group_not_found'
  | 'id_taken'
  | 'idempotency_key_reused'
  | 'incomplete'
  | 'internal'
  | 'invalid_certificate'
  | 'invalid_field'
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_telemetry'
  | 'invitation_not_found'
  | 'key_taken'
  | 'last_admin'
  | 'limit_reached'
  | 'name_taken'
  | 'node_exists'
  | 'node_not_found'
  | 'organisation_exists'
  | 'organisation_not_empty'
  | 'organisation_not_found'
  | 'outcome_unknown'
  | 'overloaded'
  | 'override_not_found'
  | 'plan_not_found'
  | 'precondition_failed'
  | 'provisioning_key_not_found'
  | 'provisioning_refused'
  | 'quota_exceeded'
  | 'rate_limited'
  | 'request_in_progress'
  | 'roll_not_found'
  | 'schedule_not_found'
  | 'session_not_found'
  | 'setup_done'
  | 'store_unavailable'
  | 'task_finished'
  | 'task_not_found'
  | 'token_invalid'
  | 'too_many_attempts'
  | 'too_many_streams'
  | 'twin_not_found'
  | 'unauthenticated'
  | 'unsupported_media_type'
  | 'user_not_found'
  | 'user_taken'
  | 'wrong_credentials'

export interface paths {
  '/v1/organisations': {
    /** Create an organisation; its API token is shown this once */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** chosen once; part of every key, never given again */
            id: string
            name?: string
            /** user short id of an IoT Guru account that moves here */
            iotguru_user?: string
            /** rules for its devices, first match wins, no match denies; null: the default rules */
            acl?: {
              effect: 'allow' | 'deny'
              access: 'publish' | 'subscribe' | 'all'
              /** topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id */
              filter: string
            }[]
            /** when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that the loss of a datacenter loses nothing; needs most datacenters in contact */
            durability?: 'local' | 'geo'
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** chosen once; part of every key, never given again */
              id: string
              name: string
              /** its devices' user name in the IoT Guru library */
              iotguru_user: string
              acl: {
                effect: 'allow' | 'deny'
                access: 'publish' | 'subscribe' | 'all'
                /** topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id */
                filter: string
              }[] | null
              /** when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that the loss of a datacenter loses nothing; needs most datacenters in contact */
              durability: 'local' | 'geo'
              created_at: string
              /** API token of the organisation; shown this once */
              token: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List organisations, in no particular order */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Organisation[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/organisations/{organisation}': {
    /** Read an organisation */
    get: {
      parameters: { query?: never; header?: never; path: { organisation: string } }
      responses: {
        200: { content: { 'application/json': Organisation } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change name, access rules or durability; rules hold for connections made from then on, durability for writes */
    patch: {
      parameters: { query?: never; header?: never; path: { organisation: string } }
      requestBody: {
        content: {
          'application/json': {
            name?: string
            acl?: {
              effect: 'allow' | 'deny'
              access: 'publish' | 'subscribe' | 'all'
              /** topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id */
              filter: string
            }[] | null
            /** when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that the loss of a datacenter loses nothing; needs most datacenters in contact */
            durability?: 'local' | 'geo'
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Organisation } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete an organisation without devices */
    delete: {
      parameters: { query?: never; header?: never; path: { organisation: string } }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/organisations/{organisation}/token': {
    /** Replace the API token; the old one stops working */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { organisation: string }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** chosen once; part of every key, never given again */
              id: string
              name: string
              /** its devices' user name in the IoT Guru library */
              iotguru_user: string
              acl: {
                effect: 'allow' | 'deny'
                access: 'publish' | 'subscribe' | 'all'
                /** topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id */
                filter: string
              }[] | null
              /** when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that the loss of a datacenter loses nothing; needs most datacenters in contact */
              durability: 'local' | 'geo'
              created_at: string
              /** API token of the organisation; shown this once */
              token: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/users': {
    /** List the members of the organisation, in no particular order */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: User[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/users/{user}': {
    /** Read a member */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id */
          user: string
        }
      }
      responses: {
        200: { content: { 'application/json': User } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change a member's role or groups, or lend a higher role for some hours; it holds at once in all datacenters in contact, else in 5 s */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id */
          user: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** viewer: reads; operator: also commands and desired twins; developer: also devices, groups, credentials; admin: also users, API keys, the organisation */
            role?: 'viewer' | 'operator' | 'developer' | 'admin'
            /** only devices in these groups, by id; null: all devices */
            groups?: string[] | null
            /** a higher role that ends by itself; null: end it now */
            elevation?: {
              /** viewer: reads; operator: also commands and desired twins; developer: also devices, groups, credentials; admin: also users, API keys, the organisation */
              role: 'viewer' | 'operator' | 'developer' | 'admin'
              /** from now on */
              hours: number
            } | null
          }
        }
      }
      responses: {
        200: { content: { 'application/json': User } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Remove a member from the organisation; the account stays, for other organisations */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id */
          user: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/invitations': {
    /** Invite a person by e-mail; the link is good once, for 7 days */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            email: string
            /** viewer: reads; operator: also commands and desired twins; developer: also devices, groups, credentials; admin: also users, API keys, the organisation */
            role?: 'viewer' | 'operator' | 'developer' | 'admin'
            /** only devices in these groups, by id; null: all devices */
            groups?: string[] | null
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Invitation } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List open invitations, in no particular order */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Invitation[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/invitations/{invitation}': {
    /** Take an invitation back; its link is good no more */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { invitation: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/invitations/accept': {
    /** Become a member, by the link of an invitation; makes an account if the address has none */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: {
        content: {
          'application/json': {
            /** out of the link */
            token: string
            /** of a new account; default: the e-mail address */
            name?: string
            /** of a new account, at least 10 characters; else not looked at */
            password?: string
          }
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              /** id */
              user: string
              email: string
              organisation: string
              role: 'viewer' | 'operator' | 'developer' | 'admin'
              /** the address had an account, whose password has not changed */
              existing: boolean
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/api-keys': {
    /** Create an API key; its secret is shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            name: string
            /** viewer: reads; operator: also commands and desired twins; developer: also devices, groups, credentials; admin: also users, API keys, the organisation */
            role: 'viewer' | 'operator' | 'developer' | 'admin'
            /** `<tag>:read` (GET) and `<tag>:write`, `*` for all tags; null: all that the role may */
            scopes?: string[] | null
            /** only devices in these groups, by id; null: all devices */
            groups?: string[] | null
            /** from then on it is refused; null: never */
            expires_at?: string | null
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              id: string
              name: string
              role: 'viewer' | 'operator' | 'developer' | 'admin'
              scopes: string[] | null
              /** only devices in these groups, by id; null: all devices */
              groups: string[] | null
              created_by: string
              created_at: string
              /** null: never */
              expires_at: string | null
              expired: boolean
              /** to the minute; null: never */
              last_used_at: string | null
              /** address */
              last_used_from: string | null
              /** for "Authorization: Bearer"; shown this once, only its SHA-256 is kept */
              secret: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List API keys, in no particular order */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ApiKey[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/api-keys/{key}': {
    /** Read an API key */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id */
          key: string
        }
      }
      responses: {
        200: { content: { 'application/json': ApiKey } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Revoke an API key; all processes in contact refuse it when this answers, others within 5 s */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id */
          key: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls': {
    /** List what is and was done to hosts one after the other, the newest first */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Roll[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Plan a rolling restart, reinstallation or upgrade; one at a time is under way */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            kind: 'restart' | 'reinstall' | 'upgrade' | 'apply' | 'decommission' | 'removenode'
            /** of an upgrade */
            version?: string
            previous?: string
            reason: string
            /** a second person must approve it first */
            approval?: boolean
            /** in the order in which they are done */
            hosts: {
              host: string
              dc: string
              /** as the inventory has it: whoever carries the roll out must have the same */
              address?: string
            }[]
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}': {
    /** Read how far it is */
    get: {
      parameters: {
        query?: {
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { roll: string }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/approve': {
    /** Approve it, as another person than the one who planned it */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/pause': {
    /** Have it stop before the next host */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/resume': {
    /** Let it go on */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/abort': {
    /** End it before the next host */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/skip': {
    /** Leave out a host that has not begun */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      requestBody: { content: { 'application/json': { host: string } } }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/take': {
    /** Carry it out from now on; the token of the answer goes with every report */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      requestBody: { content: { 'application/json': { runner: string } } }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/report': {
    /** Tell what has begun or ended at a host, before it is done */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** which `take` gave */
            token: number
            host: string
            phase: 'gate' | 'drain' | 'act' | 'settle' | 'return'
            state: 'running' | 'done' | 'failed'
            note?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/beat': {
    /** Tell that its runner is alive */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** which `take` gave */
            token: number
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/halt': {
    /** Stop carrying it out, as was wished */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { roll: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** which `take` gave */
            token: number
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Roll } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/rolls/{roll}/events': {
    /** Server-sent events of how far a roll is, each the whole of it; ends when it is over */
    get: {
      parameters: { query?: never; header?: never; path: { roll: string } }
      responses: {
        200: { content: { 'text/event-stream': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/schedules': {
    /** List what is done to the fleet by itself, and how it went, all at once */
    get: {
      parameters: {
        query?: {
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Schedule[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/schedules/{schedule}': {
    /** Read a schedule, and how it went last */
    get: {
      parameters: {
        query?: {
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { schedule: string }
      }
      responses: {
        200: { content: { 'application/json': Schedule } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Make or change a schedule; times before the change are not its */
    put: {
      parameters: { query?: never; header?: never; path: { schedule: string } }
      requestBody: {
        content: {
          'application/json': {
            /** `drill`: the newest backup is restored elsewhere, and compared with what was saved */
            job: 'restart' | 'reinstall' | 'upgrade' | 'backup' | 'drill'
            /** minute, hour, day of the month, month, day of the week: `30 3 * * *` */
            cron: string
            /** as `Europe/Berlin` */
            timezone?: string
            /** hosts: `dc01 & role=app`; empty: all that the job is for */
            on?: string
            /** seconds within which it begins, other ones each time */
            jitter?: number
            /** what becomes of a time at which nobody could begin it: made up for once, or left out */
            missed?: 'run' | 'skip'
            enabled?: boolean
            /** hours without success after which it is overdue */
            overdue_after: number
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Schedule } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete a schedule; what it did stays known */
    delete: {
      parameters: { query?: never; header?: never; path: { schedule: string } }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/schedules/{schedule}/runs': {
    /** List what a schedule did, the newest first; 400 days */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { schedule: string }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ScheduleRun[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/calendar': {
    /** What is to be done to the fleet in the next days, in order */
    get: {
      parameters: { query?: { days?: number }; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: PlannedRun[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/schedules/{schedule}/runs/{due}/claim': {
    /** Begin one time of a schedule; one runner in all datacenters does, until it is not heard of for two minutes */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          schedule: string
          /** when it was due */
          due: string
        }
      }
      requestBody: { content: { 'application/json': { runner: string } } }
      responses: {
        200: { content: { 'application/json': ScheduleRun } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/schedules/{schedule}/runs/{due}/report': {
    /** Tell that its runner is alive, or how it ended */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          schedule: string
          /** when it was due */
          due: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** which the claim gave */
            token: number
            state: 'running' | 'done' | 'failed' | 'skipped'
            note?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': ScheduleRun } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/sessions': {
    /** Sign in */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: { content: { 'application/json': { email: string; password: string } } }
      responses: {
        201: { content: { 'application/json': SessionTokens } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Your own sessions, the newest first */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Session[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/sessions/refresh': {
    /** New tokens for a refresh token, which is good once */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: { content: { 'application/json': { refresh_token: string } } }
      responses: {
        200: { content: { 'application/json': SessionTokens } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/sessions/{session}': {
    /** Sign out: end one of your own sessions in all datacenters */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          /** id; `current` is the one that asks */
          session: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/password-resets': {
    /** Send a link for a new password; the answer is the same whether or not the address has an account */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: { content: { 'application/json': { email: string } } }
      responses: {
        202: { content: { 'application/json': { message: string } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/password-resets/confirm': {
    /** Set a new password, by the link that was sent; all sessions end */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: {
        content: {
          'application/json': {
            /** out of the link */
            token: string
            /** at least 10 characters */
            password: string
          }
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/me': {
    /** Who you are, and in which organisations */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'application/json': Me } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change your name */
    patch: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: { content: { 'application/json': { name: string } } }
      responses: {
        200: { content: { 'application/json': Me } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/me/password': {
    /** Change your password; all your other sessions end */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            current_password: string
            /** at least 10 characters */
            password: string
          }
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/me/export': {
    /** All that is kept of you, beside what the audit of your organisations says */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              id: string
              email: string
              name: string
              /** also an administrator of the platform */
              platform: boolean
              created_at: string
              /** id of the session that asks */
              session: string
              organisations: {
                id: string
                name: string
                role: 'viewer' | 'operator' | 'developer' | 'admin'
                /** only devices in these groups; null: all */
                groups: string[] | null
              }[]
              password_changed_at: string | null
              sessions: {
                id: string
                created_at: string
                used_at: string
                address: string | null
                agent: string | null
              }[]
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/me/erase': {
    /** Delete your account: memberships, sessions, password; the e-mail address is free again */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: { content: { 'application/json': { current_password: string } } }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/account': {
    /** The page that links lead to: first administrator, invitation, new password */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'text/html': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/setup/links': {
    /** Another link for the first administrator: for half an hour, good once */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      responses: {
        201: { content: { 'application/json': { link: string; token: string } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/setup': {
    /** Create the first administrator, by the link that a new platform prints; once */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: {
        content: {
          'application/json': {
            /** out of the link */
            token: string
            email: string
            name?: string
            /** at least 10 characters */
            password: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** id */
              user: string
              email: string
              organisation: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/administrators': {
    /** List the administrators of the platform, all at once */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Administrator[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/administrators/{user}': {
    /** Make a user an administrator of the platform */
    put: {
      parameters: {
        query?: never
        header?: never
        path: {
          /** id of a user */
          user: string
        }
      }
      responses: {
        200: { content: { 'application/json': Administrator } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Make a user an administrator of the platform no more; the account stays */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          /** id of a user */
          user: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/checkers/plans': {
    /** What checkers read: maintenance windows and silences that have not ended for 90 days, all at once */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: CheckerPlan[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/maintenance': {
    /** Plan a maintenance window, from now on or later */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** what customers read */
            title: string
            /** more of it */
            description?: string
            /** names of datacenters and hosts; empty: all */
            subjects?: string[]
            /** default: now */
            starts_at?: string
            /** at most 30 days after its start */
            ends_at: string
            /** who answers for it; default: who asks */
            owner?: string
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Maintenance } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List maintenance windows, the newest first, all at once */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Maintenance[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/maintenance/{id}': {
    /** Read a maintenance window */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: { id: string }
      }
      responses: {
        200: { content: { 'application/json': Maintenance } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change a maintenance window */
    patch: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { id: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** what customers read */
            title?: string
            /** more of it */
            description?: string
            /** names of datacenters and hosts; empty: all */
            subjects?: string[]
            /** default: now */
            starts_at?: string
            /** at most 30 days after its start */
            ends_at?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Maintenance } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** End a maintenance window now, or take it back if it has not begun */
    delete: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { id: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/silences': {
    /** Silence alerts, from now on or later */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            reason: string
            /** names of datacenters and hosts; empty: all */
            subjects?: string[]
            /** names of alerts; empty: all */
            alerts?: string[]
            /** default: now */
            starts_at?: string
            /** at most 30 days after its start */
            ends_at: string
            /** who answers for it; default: who asks */
            owner?: string
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Silence } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List silences, the newest first, all at once */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Silence[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/silences/{id}': {
    /** Read a silence */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: { id: string }
      }
      responses: {
        200: { content: { 'application/json': Silence } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change a silence */
    patch: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { id: string }
      }
      requestBody: {
        content: {
          'application/json': {
            reason?: string
            /** names of datacenters and hosts; empty: all */
            subjects?: string[]
            /** names of alerts; empty: all */
            alerts?: string[]
            /** default: now */
            starts_at?: string
            /** at most 30 days after its start */
            ends_at?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Silence } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** End a silence now, or take it back if it has not begun */
    delete: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { id: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/audit': {
    /** Who changed what, or was refused to, in the last 400 days */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** platform: what is of no organisation, for administrators of the platform */
          space?: 'organisation' | 'platform'
          /** inclusive */
          from?: string
          /** exclusive */
          to?: string
          /** desc: newest first */
          order?: 'asc' | 'desc'
          /** id or name of who did it */
          actor?: string
          actor_kind?: 'platform' | 'organisation' | 'user' | 'key' | 'device' | 'system' | 'anonymous'
          operation?: string
          /** id of what was changed */
          target?: string
          outcome?: 'begun' | 'done' | 'denied' | 'failed'
          /** X-Request-Id */
          request?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: AuditEntry[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/audit/export': {
    /** The same as a file of any length: a JSON object a line, or CSV */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** platform: what is of no organisation, for administrators of the platform */
          space?: 'organisation' | 'platform'
          /** inclusive */
          from?: string
          /** exclusive */
          to?: string
          /** desc: newest first */
          order?: 'asc' | 'desc'
          /** id or name of who did it */
          actor?: string
          actor_kind?: 'platform' | 'organisation' | 'user' | 'key' | 'device' | 'system' | 'anonymous'
          operation?: string
          /** id of what was changed */
          target?: string
          outcome?: 'begun' | 'done' | 'denied' | 'failed'
          /** X-Request-Id */
          request?: string
          format?: 'ndjson' | 'csv'
        }
        header?: never
        path?: never
      }
      responses: {
        200: { content: { 'application/x-ndjson': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/overrides': {
    /** List what people said about datacenters and hosts that is in force, all at once */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Override[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/checkers/overrides': {
    /** What checkers read: the overrides that are in force, without who made them */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: CheckerOverride[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/overrides/{subject}': {
    /** Read a person's word about a datacenter or host */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: { subject: string }
      }
      responses: {
        200: { content: { 'application/json': Override } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Take a datacenter or host out of DNS, keep it in, or weight it; holds within half a minute */
    put: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { subject: string }
      }
      requestBody: {
        content: {
          'application/json': {
            action: 'out' | 'in' | 'weight'
            /** with `weight`: 0 to 100 percent of its own share */
            percent?: number
            /** anybody may see it on the status page */
            reason: string
            /** default: it holds until it is deleted */
            expires_at?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Override } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Take the word back: checkers decide again */
    delete: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { subject: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices': {
    /** Create a device; its key is shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** unique in the organisation; also the MQTT user name */
            name: string
            description?: string
            /** replace those that it had */
            labels?: { [key: string]: string }
            /** ids of the groups that it is in; replace those that it had */
            groups?: string[]
            /** what kind of device it is */
            profile?: string | null
            /** whether it may connect; false closes its connections */
            enabled?: boolean
            /** device short id of an IoT Guru device that moves here */
            id?: string
            /** its device key */
            key?: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** never changes; also the device short id of the IoT Guru library */
              id: string
              /** unique in the organisation; also the MQTT user name */
              name: string
              organisation: string
              description: string
              labels: { [key: string]: string }
              /** ids of the groups that it was put into */
              groups: string[]
              profile: string | null
              enabled: boolean
              created_at: string
              /** MQTT password and HTTP key; shown this once, only its SHA-256 is kept */
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List or search devices, by name; everything that is given must hold */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only names that begin with this */
          prefix?: string
          /** only with this text in the name, the description or the value of a label */
          q?: string
          /** only with these labels: `site=berlin,env!=test,floor,!retired` */
          label?: string
          /** only in this group or one inside it */
          group?: string
          profile?: string
          enabled?: 'true' | 'false'
          online?: 'true' | 'false'
          /** only offline, made before, and not heard of since */
          seen_before?: string
          /** only online or heard of since */
          seen_after?: string
          firmware?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ListedDevice[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change all devices that a filter finds now, as a task */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only names that begin with this */
          prefix?: string
          /** only with this text in the name, the description or the value of a label */
          q?: string
          /** only with these labels: `site=berlin,env!=test,floor,!retired` */
          label?: string
          /** only in this group or one inside it */
          group?: string
          profile?: string
          enabled?: 'true' | 'false'
          online?: 'true' | 'false'
          /** only offline, made before, and not heard of since */
          seen_before?: string
          /** only online or heard of since */
          seen_after?: string
          firmware?: string
          /** `true`: all devices are meant; needed when there is no filter */
          all?: 'true' | 'false'
          /** says for each what would be done, and does nothing */
          dry_run?: 'true' | 'false'
        }
        header?: never
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            description?: string
            profile?: string | null
            enabled?: boolean
            set_labels?: { [key: string]: string }
            remove_labels?: string[]
            add_groups?: string[]
            remove_groups?: string[]
          }
        }
      }
      responses: {
        202: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete all devices that a filter finds now, with their data, as a task */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only names that begin with this */
          prefix?: string
          /** only with this text in the name, the description or the value of a label */
          q?: string
          /** only with these labels: `site=berlin,env!=test,floor,!retired` */
          label?: string
          /** only in this group or one inside it */
          group?: string
          profile?: string
          enabled?: 'true' | 'false'
          online?: 'true' | 'false'
          /** only offline, made before, and not heard of since */
          seen_before?: string
          /** only online or heard of since */
          seen_after?: string
          firmware?: string
          /** `true`: all devices are meant; needed when there is no filter */
          all?: 'true' | 'false'
          /** says for each what would be done, and does nothing */
          dry_run?: 'true' | 'false'
        }
        header?: never
        path?: never
      }
      responses: {
        202: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}': {
    /** Read a device */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              /** never changes; also the device short id of the IoT Guru library */
              id: string
              /** unique in the organisation; also the MQTT user name */
              name: string
              organisation: string
              description: string
              labels: { [key: string]: string }
              /** ids of the groups that it was put into */
              groups: string[]
              profile: string | null
              enabled: boolean
              created_at: string
              /** last firmware check over HTTP (IoT Guru library), and the version it named */
              check_in: { at: string; version: string | null } | null
            }
          }
        }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Change name, labels, groups, description, profile; let it connect or not */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** unique in the organisation; also the MQTT user name */
            name?: string
            description?: string
            /** replace those that it had */
            labels?: { [key: string]: string }
            /** ids of the groups that it is in; replace those that it had */
            groups?: string[]
            /** what kind of device it is */
            profile?: string | null
            /** whether it may connect; false closes its connections */
            enabled?: boolean
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Device } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete a device with all its data; its connection is closed */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/key': {
    /** Replace the key; the old one is refused, and its connections are closed, at once or after an overlap */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** seconds for which the old key is good as well; at most 30 days */
          overlap?: number
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** never changes; also the device short id of the IoT Guru library */
              id: string
              /** unique in the organisation; also the MQTT user name */
              name: string
              organisation: string
              description: string
              labels: { [key: string]: string }
              /** ids of the groups that it was put into */
              groups: string[]
              profile: string | null
              enabled: boolean
              created_at: string
              /** MQTT password and HTTP key; shown this once, only its SHA-256 is kept */
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/authorities': {
    /** Register a certificate authority; sign its nonce with the authority's key to make it active */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** PEM */
            certificate: string
            label?: string
            /** whether a certificate of a device that is not known makes it, by its first connection; default: yes */
            register?: boolean
            /** which name is the device's name or id; default: the subject's CN */
            identity?: 'cn' | 'san'
            /** whether one certificate may be many devices, which say by the user name who they are; default: no */
            shared?: boolean
            /** groups that its devices come into */
            groups?: string[]
            /** replace those that it had */
            labels?: { [key: string]: string }
            profile?: string
          }
        }
      }
      responses: {
        201: { content: { 'application/json': CertificateAuthority } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List certificate authorities; there are at most 16 */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: CertificateAuthority[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/authorities/{authority}/proof': {
    /** Show that you have the key of the authority; it is trusted at once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { authority: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** the nonce signed, base64: `openssl dgst -sha256 -sign ca.key | base64 -w0` */
            signature?: string
            /** or a certificate of the authority whose CN is the nonce */
            certificate?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': CertificateAuthority } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/authorities/{authority}': {
    /** Change how its devices are registered, or disable it; holds for connections from then on */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { authority: string }
      }
      requestBody: {
        content: {
          'application/json': {
            label?: string
            enabled?: boolean
            /** whether a certificate of a device that is not known makes it, by its first connection; default: yes */
            register?: boolean
            /** which name is the device's name or id; default: the subject's CN */
            identity?: 'cn' | 'san'
            /** whether one certificate may be many devices, which say by the user name who they are; default: no */
            shared?: boolean
            /** groups that its devices come into */
            groups?: string[]
            /** replace those that it had */
            labels?: { [key: string]: string }
            profile?: string
          }
        }
      }
      responses: {
        200: { content: { 'application/json': CertificateAuthority } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete an authority; its certificates are refused from the next connection on */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { authority: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/authorities/{authority}/revocations': {
    /** Revoke a certificate by its serial number; connections made with it are closed */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { authority: string }
      }
      requestBody: { content: { 'application/json': { serial: string } } }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/certificates': {
    /** List certificates that devices have shown or that were revoked, in no particular order */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** id */
          device?: string
          authority?: string
          expires_before?: string
          revoked?: 'true' | 'false'
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: DeviceCertificate[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/certificates/{fingerprint}/revoke': {
    /** Revoke a certificate, also one that nobody has shown; connections made with it are closed */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { fingerprint: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/certificates/{fingerprint}': {
    /** Forget whose a certificate is: when it is shown again, its name counts; not for revoked ones */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { fingerprint: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/credentials': {
    /** List the keys that are good for a device now, without the keys themselves */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Credential[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Give a device one more key, which is shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** what it is for */
            label?: string
            /** its connections are closed then */
            expires_at?: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              id: string
              label: string
              /** null: with the device, or by its last rotation */
              created_at: string | null
              /** null: never */
              expires_at: string | null
              /** to the hour; null: not yet */
              last_used_at: string | null
              /** shown this once */
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/key': {
    /** A device replaces its own key; the old one is good for a while, should the answer be lost */
    post: {
      parameters: {
        query?: {
          /** seconds for which the old key is good as well */
          overlap?: number
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      responses: {
        201: {
          content: {
            'application/json': {
              id: string
              /** shown this once */
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/credentials/{credential}': {
    /** Revoke a key; connections made with it are closed in all datacenters */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
          credential: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/provisioning-keys': {
    /** Create a key by which devices get a key of their own; it is shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            label?: string
            /** devices that it may make */
            max_uses: number
            expires_at?: string
            /** groups that its devices come into */
            groups?: string[]
            /** replace those that it had */
            labels?: { [key: string]: string }
            profile?: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              id: string
              label: string
              max_uses: number
              uses: number
              expires_at: string | null
              groups: string[]
              labels: { [key: string]: string }
              profile: string | null
              created_at: string
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List provisioning keys, without what they are; there are at most 1000 */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ProvisioningKey[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/provisioning-keys/{key}': {
    /** Delete a provisioning key; devices that it has made stay */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { key: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/provision': {
    /** A device gets its key: `Authorization: Device p_...`, with a provisioning key or the key that belongs to a claim code */
    post: {
      parameters: { query?: never; header?: never; path?: never }
      requestBody: { content: { 'application/json': { name?: string; nonce: string } } }
      responses: {
        200: {
          content: {
            'application/json': {
              /** `pending`: nobody has claimed its code yet; ask again */
              status: 'provisioned' | 'pending'
              organisation?: string
              id?: string
              name?: string
              /** shown this once */
              key?: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/claim-codes': {
    /** Create claim codes to print, each with a key for its device; shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            count?: number
            /** until when they can be claimed */
            expires_at: string
            /** replace those that it had */
            labels?: { [key: string]: string }
            profile?: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              items: {
                /** for people: ABCD-EFGH-JKMN */
                code: string
                /** for the device */
                key: string
                /** text for a QR code */
                qr: string
              }[]
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/claims': {
    /** Claim a device by its code; it gets its key by itself */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** as it is printed; small letters and no hyphens will do */
            code: string
            /** unique in the organisation; also the MQTT user name */
            name?: string
            /** groups that its devices come into */
            groups?: string[]
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Device } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/imports': {
    /** Create or change many devices from CSV or NDJSON; the task has a result for each row, keys included */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** whether a device that is there is an error, or is changed as the row says */
          mode?: 'create' | 'upsert'
          /** whether devices that bring no key get one; with certificates they need none */
          keys?: 'generate' | 'none'
          /** says for each what would be done, and does nothing */
          dry_run?: 'true' | 'false'
        }
        header?: never
        path?: never
      }
      requestBody: { content: { 'text/csv': string; 'application/x-ndjson': string } }
      responses: {
        202: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/tasks': {
    /** List tasks of the last 30 days, the newest first */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Task[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/tasks/{task}': {
    /** Read a task: how far it is */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { task: string }
      }
      responses: {
        200: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/tasks/{task}/result': {
    /** What became of each item, one JSON object a line; keys are in it until it has been read to its end once after the task has ended */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { task: string }
      }
      responses: {
        200: { content: { 'application/x-ndjson': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/tasks/{task}/cancel': {
    /** Ask a task to end; what it has done stays */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { task: string }
      }
      responses: {
        202: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/groups': {
    /** Create a group of devices */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** chosen once, never given again */
            id?: string
            name?: string
            description?: string
            /** the group that it is in; null: none */
            parent?: string | null
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Group } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List groups by id */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only those directly in this one */
          parent?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Group[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/groups/{group}': {
    /** Read a group */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: { group: string }
      }
      responses: {
        200: { content: { 'application/json': Group } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Rename a group, or put it into another one */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { group: string }
      }
      requestBody: {
        content: {
          'application/json': {
            name?: string
            description?: string
            /** the group that it is in; null: none */
            parent?: string | null
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Group } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete a group without groups inside; its devices stay */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: { group: string }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/groups/{group}/devices': {
    /** List the devices of a group and of those inside it, by name */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { group: string }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ListedDevice[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/groups/{group}/members/{device}': {
    /** Put a device into a group */
    put: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          group: string
          /** id or name */
          device: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Take a device out of a group */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          group: string
          /** id or name */
          device: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/nodes': {
    /** Create an IoT Guru node; its key is shown this once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** short id of a node that moves here */
            id?: string
            name?: string
            /** its node key */
            key?: string
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              /** first part of the keys of its values, `{id}/{field}` */
              id: string
              name: string
              created_at: string
              /** for /measurement/create; shown this once */
              key: string
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List the nodes of a device, all at once */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Node[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/nodes/{node}': {
    /** Delete a node; its key stops working, its values stay */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
          node: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/clients': {
    /** MQTT clients of all processes, connected or with a session, in order of their ids */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** `next` of the page before */
          cursor?: string
          limit?: number
          connected?: 'true' | 'false'
          /** id of their device */
          device?: string
          username?: string
          /** only ids that begin with this */
          prefix?: string
          dc?: string
          process?: string
          /** only those for which so many messages wait at least */
          min_queued?: number
          /** only those to which so many messages were dropped at least */
          min_dropped?: number
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: ListedClient[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
              /** false: a process did not answer in time; its clients may be missing */
              complete: boolean
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/clients/{client}': {
    /** Who holds an MQTT client, in any process, and how it is doing */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** client identifier */
          client: string
        }
      }
      responses: {
        200: { content: { 'application/json': Client } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Disconnect an MQTT client wherever it is; it may come back, its session stays */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** client identifier */
          client: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/clients/{client}/subscriptions': {
    /** Subscriptions of an MQTT client, in order of their filters */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** client identifier */
          client: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: { filter: string; qos: number; no_local: boolean }[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
              /** of all */
              count: number
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/clients/{client}/trace': {
    /** Server-sent events of what an MQTT client sends and receives, wherever it is and connects next, while the stream is open */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** client identifier */
          client: string
        }
      }
      responses: {
        200: { content: { 'text/event-stream': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/trace': {
    /** Server-sent events of what a device's MQTT clients send and receive, while the stream is open */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'text/event-stream': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/commands': {
    /** Send a command; a device that is away gets it when it comes back within the ttl */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** `method` of the message that the device gets */
            name: string
            /** JSON of at most 49152 bytes */
            params?: __schema0
            /** seconds in which it must be delivered; then it has expired */
            ttl?: number
            /** seconds from delivery, or from the last progress, to the answer; then it has timed out */
            timeout?: number
            /** how often it is sent again when the timeout has passed, within the ttl */
            retries?: number
            /** no answer is expected: it has succeeded when it is delivered */
            one_way?: boolean
            /** chosen by the client: the same again is the same command, sent once */
            id?: string
          }
        }
      }
      responses: {
        201: { content: { 'application/json': Command } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** List the commands of a device, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only in these states, separated by commas; a page may then be short though there is a next one */
          state?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Command[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/commands': {
    /** List the commands of all devices, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only in these states, separated by commas; a page may then be short though there is a next one */
          state?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Command[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Send one command to many devices, as a batch; it is made after the answer */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': {
            /** `method` of the message that the device gets */
            name: string
            /** JSON of at most 49152 bytes */
            params?: __schema0
            /** seconds in which it must be delivered; then it has expired */
            ttl?: number
            /** seconds from delivery, or from the last progress, to the answer; then it has timed out */
            timeout?: number
            /** how often it is sent again when the timeout has passed, within the ttl */
            retries?: number
            /** no answer is expected: it has succeeded when it is delivered */
            one_way?: boolean
            /** chosen by the client: the same again is the same batch */
            id?: string
            /** ids or names */
            devices?: string[]
            /** all devices of this group and those inside it */
            group?: string
            /** as the parameters of GET /v1/devices; {}: all devices */
            filter?: {
              /** only names that begin with this */
              prefix?: string
              /** only with this text in the name, the description or the value of a label */
              q?: string
              /** only with these labels: `site=berlin,env!=test,floor,!retired` */
              label?: string
              /** only in this group or one inside it */
              group?: string
              profile?: string
              firmware?: string
              online?: boolean
              enabled?: boolean
            }
          }
        }
      }
      responses: {
        201: {
          content: {
            'application/json': {
              id: string
              name: string
              params: unknown
              /** what was asked for: devices, group or filter */
              target: unknown
              /** interrupted: its process ended; the same request with the same id goes on */
              state: 'making' | 'made' | 'interrupted'
              /** devices that have their command */
              made: number
              created_at: string
              created_by: string | null
              expires_at: string
              counts: {
                queued: number
                sent: number
                delivered: number
                running: number
                succeeded: number
                failed: number
                rejected: number
                timed_out: number
                expired: number
                cancelled: number
              }
              /** all commands are made and have ended */
              ended: boolean
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/commands/{command}': {
    /** Read a command with its result; with wait, when it has ended */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** seconds (30s; at most 60) to wait for its end; then it is answered as it is */
          wait?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
          command: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              id: string
              /** id of the device */
              device: string
              batch: string | null
              name: string
              params: unknown
              state: 'queued' | 'sent' | 'delivered' | 'running' | 'succeeded' | 'failed' | 'rejected' | 'timed_out' | 'expired' | 'cancelled'
              ttl: number
              timeout: number
              retries: number
              one_way: boolean
              /** how often it was sent because of a timeout, and the first time; 0: not yet */
              attempt: number
              created_at: string
              created_by: string | null
              expires_at: string
              /** when this attempt was written to a connection of the device */
              sent_at: string | null
              /** when the device acknowledged it: its own PUBACK, not the broker's */
              delivered_at: string | null
              /** the device's newest word that it is at it */
              progress: { at: string; percent: number | null; message: string | null } | null
              ended_at: string | null
              /** what the device answered: JSON, text, or base64 as result_encoding says; null: nothing */
              result: unknown
              result_encoding: 'json' | 'text' | 'base64' | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/commands/{command}/cancel': {
    /** Cancel a command; a device that has it is told on v1/devices/me/rpc/cancel/{id} */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
          command: string
        }
      }
      responses: {
        200: { content: { 'application/json': Command } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/command-batches': {
    /** List batches of commands, newest first */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: CommandBatch[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/command-batches/{batch}': {
    /** Read a batch with the number of its commands in each state; with wait, when all have ended */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** seconds (30s; at most 60) to wait for its end; then it is answered as it is */
          wait?: string
        }
        header?: never
        path: { batch: string }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              id: string
              name: string
              params: unknown
              /** what was asked for: devices, group or filter */
              target: unknown
              /** interrupted: its process ended; the same request with the same id goes on */
              state: 'making' | 'made' | 'interrupted'
              /** devices that have their command */
              made: number
              created_at: string
              created_by: string | null
              expires_at: string
              counts: {
                queued: number
                sent: number
                delivered: number
                running: number
                succeeded: number
                failed: number
                rejected: number
                timed_out: number
                expired: number
                cancelled: number
              }
              /** all commands are made and have ended */
              ended: boolean
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/command-batches/{batch}/commands': {
    /** List the commands of a batch */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only in these states, separated by commas; a page may then be short though there is a next one */
          state?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: { batch: string }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Command[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/command-batches/{batch}/cancel': {
    /** Cancel the commands of a batch that have not ended */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path: { batch: string }
      }
      responses: {
        200: { content: { 'application/json': { cancelled: number } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/twins': {
    /** List the twins of a device: what is desired of it and what it reports */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'application/json': { items: Twin[] } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/twins/{twin}': {
    /** Read a twin */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
          twin: string
        }
      }
      responses: {
        200: { content: { 'application/json': Twin } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Replace what is desired of a device; it is told what differs from what it reports */
    put: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
          twin: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** at most 65536 bytes, 1000 values, 10 levels */
            desired: { [key: string]: __schema1 }
            /** the version that the change was made from; 409 if it is another */
            version?: number
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Twin } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Merge into what is desired of a device; null deletes (RFC 7396) */
    patch: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
          twin: string
        }
      }
      requestBody: {
        content: {
          'application/json': {
            /** merge patch; at most 65536 bytes, 1000 values, 10 levels */
            desired: { [key: string]: __schema1 }
            /** the version that the change was made from; 409 if it is another */
            version?: number
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Twin } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete a twin, desired and reported */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: {
          /** id or name; `me` with a device key */
          device: string
          twin: string
        }
      }
      responses: {
        204: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/me/twins/{twin}/reported': {
    /** Merge into what a device reports of itself; the device says it, over HTTP */
    patch: {
      parameters: { query?: never; header?: never; path: { twin: string } }
      requestBody: { content: { 'application/json': { [key: string]: __schema1 } } }
      responses: {
        200: { content: { 'application/json': Twin } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/latest': {
    /** The newest value of each key */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only these, separated by commas */
          keys?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'application/json': { items: Point[] } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/telemetry/latest': {
    /** The newest values of many devices, with their ages; the ETag changes with the values, not with their ages */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only names that begin with this */
          prefix?: string
          /** only with this text in the name, the description or the value of a label */
          q?: string
          /** only with these labels: `site=berlin,env!=test,floor,!retired` */
          label?: string
          /** only in this group or one inside it */
          group?: string
          profile?: string
          enabled?: 'true' | 'false'
          online?: 'true' | 'false'
          /** only offline, made before, and not heard of since */
          seen_before?: string
          /** only online or heard of since */
          seen_after?: string
          firmware?: string
          /** only these, by id or name, separated by commas, at most 200; goes without filters */
          devices?: string
          /** only these, separated by commas */
          keys?: string
        }
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: LatestOfDevice[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/telemetry': {
    /** Values in a range of time, or aggregates of steps of it, all keys merged in order of time */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** inclusive; milliseconds since 1970 or RFC 3339; default: the beginning */
          from?: string
          /** exclusive; default: no end, of steps: now */
          to?: string
          /** only these, separated by commas; default: all */
          keys?: string
          /** aggregates of steps instead of values: 30s, 1m, 15m, 1h, 1d, 1w, 1mo, 1y, PT15M, P1D, day, week, month, year. Steps are whole: the first is the one that from is in */
          step?: string
          /** IANA name; days, weeks, months and years begin at its midnight; default: UTC */
          time_zone?: string
          /** which, separated by commas, of min, max, avg, sum, count, first, last, p95; default: min,max,avg,count */
          aggregates?: string
          /** default: 100 values, 1000 steps */
          limit?: number
          /** desc: newest first */
          order?: 'asc' | 'desc'
          /** `next` of the page before; the rest must be the same */
          cursor?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: HistoryItem[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Delete all values and aggregates of a device, as a task; the device stays */
    delete: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        202: { content: { 'application/json': Task } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/telemetry/export': {
    /** All values of a range of time, or aggregates of all its steps, as CSV or NDJSON; cut off, the connection breaks */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          format?: 'csv' | 'ndjson'
          /** inclusive; milliseconds since 1970 or RFC 3339; default: the beginning */
          from?: string
          /** exclusive; default: no end */
          to?: string
          /** only these, separated by commas; default: all */
          keys?: string
          /** aggregates of steps instead of values: 30s, 1m, 15m, 1h, 1d, 1w, 1mo, 1y, PT15M, P1D, day, week, month, year. Steps are whole: the first is the one that from is in */
          step?: string
          /** IANA name; days, weeks, months and years begin at its midnight; default: UTC */
          time_zone?: string
          /** which, separated by commas, of min, max, avg, sum, count, first, last, p95; default: min,max,avg,count */
          aggregates?: string
          /** asc: oldest first */
          order?: 'asc' | 'desc'
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'text/csv': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/telemetry/import': {
    /** Store values with times of their own from CSV or NDJSON of any length. Rows that are refused are told; the same values may be sent again, and count once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only checks the rows */
          dry_run?: 'true' | 'false'
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      requestBody: { content: { 'text/csv': string; 'application/x-ndjson': string } }
      responses: {
        200: { content: { 'application/json': TelemetryImport } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/telemetry/import': {
    /** The same for many devices: each row names its own in the column or field device. Rows that are refused are told; the same values may be sent again, and count once */
    post: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only checks the rows */
          dry_run?: 'true' | 'false'
        }
        header?: never
        path?: never
      }
      requestBody: { content: { 'text/csv': string; 'application/x-ndjson': string } }
      responses: {
        200: { content: { 'application/json': TelemetryImport } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/retention': {
    /** How long values and aggregates of the organisation are kept */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path?: never
      }
      responses: {
        200: { content: { 'application/json': RetentionOutput } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Replace the rules; what is stored already stays as long as the rules said then */
    put: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
        }
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path?: never
      }
      requestBody: { content: { 'application/json': Retention } }
      responses: {
        200: { content: { 'application/json': RetentionOutput } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/retention': {
    /** How long values of each key are kept that the device sends now, and why */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** also of keys that it does not have yet; default: those that it has */
          keys?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'application/json': { items: EffectiveRetention[] } } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/ingest': {
    /** Store values of the device that asks; answered when they are durable */
    post: {
      parameters: {
        query?: never
        header?: {
          /** a new random UUID for each new request; who sends it again with the same key gets the same answer */
          'idempotency-key'?: string
        }
        path?: never
      }
      requestBody: {
        content: {
          'application/json': { [key: string]: unknown } | {
            /** milliseconds since 1970 */
            ts: number
            /** {key: value} */
            values: { [key: string]: unknown }
          } | ({ [key: string]: unknown } | {
            /** milliseconds since 1970 */
            ts: number
            /** {key: value} */
            values: { [key: string]: unknown }
          })[]
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              /** values stored */
              points: number
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/presence': {
    /** Whether a device is connected, since when, from where and how; and whether it is active */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** seconds after its last data in which a device is active */
          active_window?: number
          /** only these fields of the answer (of each item of a list), separated by commas; default: all */
          fields?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: { content: { 'application/json': Presence } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/devices/{device}/presence/history': {
    /** When a device came and went, the newest first; kept for 90 days */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** included */
          from?: string
          /** not included */
          to?: string
        }
        header?: never
        path: {
          /** id or name; `me` with a device key */
          device: string
        }
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: PresenceEvent[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/presence': {
    /** Presence of some devices, or of all that ever connected or sent data; pages may be short before the last one */
    get: {
      parameters: {
        query?: {
          limit?: number
          /** `next` of the page before */
          cursor?: string
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** seconds after its last data in which a device is active */
          active_window?: number
          /** ids or names, with commas between; those that are not there are left out */
          devices?: string
          connected?: 'true' | 'false'
          active?: 'true' | 'false'
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              items: Presence[]
              /** cursor of the next page; null: this was the last one */
              next: string | null
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/usage': {
    /** What the organisation has used, and what it may use */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** first day (UTC); default: today */
          from?: string
          /** last day, included; default: today */
          to?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: {
          content: {
            'application/json': {
              organisation: string
              /** the day (UTC) that daily quotas are for */
              today: string
              /** when daily quotas begin anew */
              resets_at: string
              quotas: {
                requests: {
                  /** null: it is not counted */
                  used: number | null
                  /** null: there is none */
                  limit: number | null
                }
                messages: {
                  /** null: it is not counted */
                  used: number | null
                  /** null: there is none */
                  limit: number | null
                }
                points: {
                  /** null: it is not counted */
                  used: number | null
                  /** null: there is none */
                  limit: number | null
                }
                connections: {
                  /** null: it is not counted */
                  used: number | null
                  /** null: there is none */
                  limit: number | null
                }
                storage_days: {
                  /** null: it is not counted */
                  used: number | null
                  /** null: there is none */
                  limit: number | null
                }
              }
              days: {
                /** in UTC */
                day: string
                /** requests to the API */
                requests: number
                /** messages published */
                messages: number
                /** values stored */
                points: number
                /** at most so many MQTT connections were there at a time */
                connections_peak: number
              }[]
            }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/organisations/{organisation}/quotas': {
    /** What an organisation may use */
    get: {
      parameters: {
        query?: never
        header?: {
          /** ETag of an answer; 304 if nothing has changed since */
          'if-none-match'?: string
        }
        path: { organisation: string }
      }
      responses: {
        200: { content: { 'application/json': Quotas } }
        304: { content?: never }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
    /** Set what an organisation may use; holds everywhere within half a minute */
    put: {
      parameters: {
        query?: never
        header?: {
          /** ETag of what is changed, or *: it must exist; 412 if it is another one by now */
          'if-match'?: string
        }
        path: { organisation: string }
      }
      requestBody: {
        content: {
          'application/json': {
            /** a day; null: as configured; 0: no limit */
            requests?: number | null
            /** a day */
            messages?: number | null
            /** a day */
            points?: number | null
            /** at a time */
            connections?: number | null
            /** for which values are kept at most */
            storage_days?: number | null
          }
        }
      }
      responses: {
        200: { content: { 'application/json': Quotas } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/live': {
    /** Server-sent events of what becomes durable; Last-Event-ID goes on where a stream ended */
    get: {
      parameters: {
        query?: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** only of this device, by id or name; `me` with its key */
          device?: string
          /** only of devices of this group and of the groups inside it, as they are now */
          group?: string
          /** only these kinds, with commas between: telemetry, presence, command, twin, registry, audit, warning */
          types?: string
          /** like Last-Event-ID, for clients that cannot set headers */
          after?: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: { content: { 'text/event-stream': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/live/messages': {
    /** Server-sent events of MQTT messages by topic filter, as they come, wherever they are taken */
    get: {
      parameters: {
        query: {
          /** the admin's choice of organisation; without it the platform's own. Tokens and keys have theirs */
          organisation?: string
          /** topic filter; devices are `v1/devices/{id}/...` */
          topic: string
        }
        header?: never
        path?: never
      }
      responses: {
        200: { content: { 'text/event-stream': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/errors': {
    /** Every error code of the API */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: {
            'application/json': { items: { code: string; status: number; title: string }[] }
          }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/livez': {
    /** Whether the process runs */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: { 'application/json': { status: 'ok' | 'unavailable'; reason?: string } }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/readyz': {
    /** Whether requests should be sent here; 503 with the reason if not */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'application/json': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/metrics': {
    /** Prometheus metrics; no organisation or device is named in them */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'text/plain': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/openapi.json': {
    /** This description as an OpenAPI document */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: {
          content: { 'application/json': { openapi: string } & { [key: string]: unknown } }
        }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/docs': {
    /** This description as a page */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'text/html': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
  '/v1/docs/style.css': {
    /** Style sheet of that page */
    get: {
      parameters: { query?: never; header?: never; path?: never }
      responses: {
        200: { content: { 'text/css': string } }
        default: { content: { 'application/problem+json': Problem } }
      }
    }
  }
}

export interface components {
  schemas: {
    Retention: Retention
    RetentionRule: RetentionRule
    __schema0: __schema0
    __schema1: __schema1
    Problem: Problem
    Organisation: Organisation
    User: User
    Invitation: Invitation
    ApiKey: ApiKey
    Roll: Roll
    Schedule: Schedule
    ScheduleRun: ScheduleRun
    PlannedRun: PlannedRun
    SessionTokens: SessionTokens
    Session: Session
    Me: Me
    Administrator: Administrator
    CheckerPlan: CheckerPlan
    Maintenance: Maintenance
    Silence: Silence
    AuditEntry: AuditEntry
    Override: Override
    CheckerOverride: CheckerOverride
    ListedDevice: ListedDevice
    Task: Task
    Device: Device
    CertificateAuthority: CertificateAuthority
    DeviceCertificate: DeviceCertificate
    Credential: Credential
    ProvisioningKey: ProvisioningKey
    Group: Group
    Node: Node
    ListedClient: ListedClient
    Client: Client
    Command: Command
    CommandBatch: CommandBatch
    Twin: Twin
    Point: Point
    LatestOfDevice: LatestOfDevice
    HistoryItem: HistoryItem
    TelemetryImport: TelemetryImport
    EffectiveRetention: EffectiveRetention
    Presence: Presence
    ClientPresence: ClientPresence
    PresenceEvent: PresenceEvent
    Quotas: Quotas
    RetentionOutput: RetentionOutput
    RetentionRuleOutput: RetentionRuleOutput
  }
}

export type Retention = {
  /** the first that fits counts, for values that come from now on; none: 90d with aggregates */
  rules: RetentionRule[]
}

export type RetentionRule = {
  /** of devices with this profile; null: of all */
  profile?: string | null
  /** a key, or the beginning of keys and *; null: all */
  keys?: string | null
  /** how long each value is kept after it was stored */
  values: '7d' | '90d' | '400d' | '5y'
  /** whether aggregates are kept: of minutes 400 days, of 15 minutes 1830 days */
  aggregates?: boolean
}

export type __schema0 = string | number | boolean | null | __schema0[] | { [key: string]: __schema0 }

export type __schema1 = string | number | boolean | null | __schema1[] | { [key: string]: __schema1 }

/** RFC 9457 problem document */
export type Problem = {
  /** where the code is explained */
  type: string
  title: string
  status: number
  /** stable; see GET /v1/errors */
  code: string
  /** what is wrong here and what to do */
  detail: string
  /** also in X-Request-Id and in the log */
  request_id: string
  errors?: { field: string; message: string }[]
}

export type Organisation = {
  /** chosen once; part of every key, never given again */
  id: string
  name: string
  /** its devices' user name in the IoT Guru library */
  iotguru_user: string
  acl: {
    effect: 'allow' | 'deny'
    access: 'publish' | 'subscribe' | 'all'
    /** topic filter; filled in per client: %u user name, %c client id, ${device} device id, ${name} device name, ${user} the organisation's IoT Guru user id */
    filter: string
  }[] | null
  /** when a write counts: `local`: when one datacenter has it safely; `geo`: when most of the world has it, so that the loss of a datacenter loses nothing; needs most datacenters in contact */
  durability: 'local' | 'geo'
  created_at: string
}

/** a person, as a member of the organisation */
export type User = {
  id: string
  email: string
  name: string
  /** what counts now */
  role: 'viewer' | 'operator' | 'developer' | 'admin'
  /** what is left when the elevation ends */
  standing_role: 'viewer' | 'operator' | 'developer' | 'admin'
  /** null: not elevated */
  elevated_until: string | null
  /** only devices in these groups, by id; null: all devices */
  groups: string[] | null
  member_since: string
}

export type Invitation = {
  id: string
  email: string
  role: 'viewer' | 'operator' | 'developer' | 'admin'
  /** only devices in these groups, by id; null: all devices */
  groups: string[] | null
  invited_by: string
  created_at: string
  expires_at: string
}

export type ApiKey = {
  id: string
  name: string
  role: 'viewer' | 'operator' | 'developer' | 'admin'
  scopes: string[] | null
  /** only devices in these groups, by id; null: all devices */
  groups: string[] | null
  created_by: string
  created_at: string
  /** null: never */
  expires_at: string | null
  expired: boolean
  /** to the minute; null: never */
  last_used_at: string | null
  /** address */
  last_used_from: string | null
}

/** something that is done to hosts of the fleet, one after the other */
export type Roll = {
  id: string
  kind: 'restart' | 'reinstall' | 'upgrade' | 'apply' | 'decommission' | 'removenode'
  /** what hosts have after an upgrade */
  version: string | null
  /** what a host is taken back to that is not well with it */
  previous: string | null
  actor: string
  reason: string
  created_at: string
  approval: 'not_needed' | 'wanted' | 'given'
  approved_by: string | null
  /** what a person wants of who carries it out */
  wish: 'go' | 'pause' | 'abort'
  state: 'ready' | 'running' | 'paused' | 'done' | 'failed' | 'aborted'
  /** 0 to 1 */
  progress: number
  /** in their order */
  steps: {
    host: string
    dc: string
    /** that it had when the roll was planned, where that matters */
    address: string | null
    state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped'
    phase: 'gate' | 'drain' | 'act' | 'settle' | 'return' | null
    /** what it waits for, or why it failed */
    note: string | null
    started_at: string | null
    ended_at: string | null
  }[]
  /** who carries it out, or did last */
  runner: { name: string; token: number; beat_at: string } | null
  ended_at: string | null
  /** why it ended as it did */
  note: string | null
}

/** something that is done to the fleet by itself */
export type Schedule = {
  name: string
  /** `drill`: the newest backup is restored elsewhere, and compared with what was saved */
  job: 'restart' | 'reinstall' | 'upgrade' | 'backup' | 'drill'
  /** minute, hour, day of the month, month, day of the week: `30 3 * * *` */
  cron: string
  /** as `Europe/Berlin` */
  timezone: string
  /** hosts: `dc01 & role=app`; empty: all that the job is for */
  on: string
  /** seconds within which it begins, other ones each time */
  jitter: number
  /** what becomes of a time at which nobody could begin it: made up for once, or left out */
  missed: 'run' | 'skip'
  enabled: boolean
  /** hours without success after which it is overdue */
  overdue_after: number
  /** who changed it last */
  owner: string
  changed_at: string
  /** the next three times */
  next: string[]
  /** the newest run */
  last: ScheduleRun | null
  last_success: string | null
  overdue: boolean
}

export type ScheduleRun = {
  schedule: string
  due: string
  state: 'running' | 'done' | 'failed' | 'skipped'
  runner: string
  token: number
  started_at: string
  ended_at: string | null
  /** what came of it, or why it failed */
  note: string | null
}

export type PlannedRun = {
  schedule: string
  job: 'restart' | 'reinstall' | 'upgrade' | 'backup' | 'drill'
  due: string
}

export type SessionTokens = {
  session: string
  /** for "Authorization: Bearer" */
  access_token: string
  /** seconds that the access token lives */
  expires_in: number
  /** good once, for 30 days; used a second time it ends the session, because two have it */
  refresh_token: string
}

export type Session = {
  id: string
  /** the one that asks */
  current: boolean
  created_at: string
  /** last refresh */
  used_at: string
  address: string | null
  /** what the client calls itself */
  agent: string | null
}

export type Me = {
  id: string
  email: string
  name: string
  /** also an administrator of the platform */
  platform: boolean
  created_at: string
  /** id of the session that asks */
  session: string
  organisations: {
    id: string
    name: string
    role: 'viewer' | 'operator' | 'developer' | 'admin'
    /** only devices in these groups; null: all */
    groups: string[] | null
  }[]
}

/** a person who administers the platform: all organisations */
export type Administrator = { id: string; email: string; name: string }

/** a maintenance window or silence, without who made it */
export type CheckerPlan = {
  id: string
  kind: 'maintenance' | 'silence'
  title: string
  description: string
  /** names of datacenters and hosts; empty: all */
  subjects: string[]
  /** names of alerts; empty: all */
  alerts: string[]
  starts_at: string
  ends_at: string
  created_at: string
}

/** planned maintenance, shown on the status page; its alerts are silent */
export type Maintenance = {
  id: string
  /** what customers read */
  title: string
  /** more of it */
  description: string
  /** names of datacenters and hosts; empty: all */
  subjects: string[]
  starts_at: string
  ends_at: string
  owner: string
  created_at: string
}

/** alerts that are known, and not sent */
export type Silence = {
  id: string
  reason: string
  /** names of datacenters and hosts; empty: all */
  subjects: string[]
  /** names of alerts; empty: all */
  alerts: string[]
  starts_at: string
  ends_at: string
  owner: string
  created_at: string
}

export type AuditEntry = {
  id: string
  at: string
  /** `done`, `denied`, `failed`; `begun`: under way, or its process died before it knew the outcome */
  outcome: string
  actor: { kind: string; id: string; name: string }
  address: string | null
  /** `operationId` of the OpenAPI document, or the name of scheduled work */
  operation: string
  /** ids of what was changed */
  targets: string[]
  /** as far as the operation tells; secrets are taken out */
  before: unknown
  after: unknown
  /** error code, where it was not done */
  problem: string | null
  /** X-Request-Id */
  request: string | null
  dc: string | null
  process: string | null
}

/** a person's word about a datacenter or host; it wins over checkers */
export type Override = {
  /** name of a datacenter or host */
  subject: string
  /** `out`: not in DNS; `in`: in DNS whatever checkers say; `weight`: `percent` of its own share */
  action: 'out' | 'in' | 'weight'
  /** of new connections; null: not `weight` */
  percent: number | null
  /** anybody may see it on the status page */
  reason: string
  at: string
  /** null: holds until it is deleted */
  expires_at: string | null
  /** who said so */
  owner: string
  /** also the ETag */
  version: number
}

/** a person's word about a datacenter or host, without his name */
export type CheckerOverride = {
  /** name of a datacenter or host */
  subject: string
  /** `out`: not in DNS; `in`: in DNS whatever checkers say; `weight`: `percent` of its own share */
  action: 'out' | 'in' | 'weight'
  /** of new connections; null: not `weight` */
  percent: number | null
  /** anybody may see it on the status page */
  reason: string
  at: string
  /** null: holds until it is deleted */
  expires_at: string | null
}

export type ListedDevice = {
  /** never changes; also the device short id of the IoT Guru library */
  id: string
  /** unique in the organisation; also the MQTT user name */
  name: string
  organisation: string
  description: string
  labels: { [key: string]: string }
  /** ids of the groups that it was put into */
  groups: string[]
  profile: string | null
  enabled: boolean
  created_at: string
  /** whether it has a connection */
  online: boolean
  /** when it was last heard of; online: since when */
  seen_at: string | null
  /** what it last said that it runs */
  firmware: string | null
}

export type Task = {
  id: string
  /** `import`, `update_devices`, `delete_devices`, `erase_telemetry` */
  kind: string
  state: 'receiving' | 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'
  /** who asked for it */
  actor: string
  created_at: string
  started_at: string | null
  finished_at: string | null
  /** items */
  total: number
  succeeded: number
  failed: number
  /** there was nothing to do for them */
  skipped: number
  /** 0 to 1 */
  progress: number
  /** why it failed */
  error: string | null
  /** path of what became of each item, NDJSON */
  result: string
}

export type Device = {
  /** never changes; also the device short id of the IoT Guru library */
  id: string
  /** unique in the organisation; also the MQTT user name */
  name: string
  organisation: string
  description: string
  labels: { [key: string]: string }
  /** ids of the groups that it was put into */
  groups: string[]
  profile: string | null
  enabled: boolean
  created_at: string
}

export type CertificateAuthority = {
  id: string
  label: string
  state: 'pending' | 'active' | 'disabled'
  /** to be signed with the key of the authority; null: it was */
  nonce: string | null
  subject: string
  not_after: string
  register: boolean
  identity: 'cn' | 'san'
  shared: boolean
  groups: string[]
  labels: { [key: string]: string }
  profile: string | null
  created_at: string
}

export type DeviceCertificate = {
  /** SHA-256, hex */
  fingerprint: string
  /** id; null: nobody has shown it, or it is of many */
  device: string | null
  authority: string | null
  subject: string
  serial: string
  not_before: string | null
  not_after: string | null
  first_seen: string | null
  revoked_at: string | null
}

export type Credential = {
  id: string
  label: string
  /** null: with the device, or by its last rotation */
  created_at: string | null
  /** null: never */
  expires_at: string | null
  /** to the hour; null: not yet */
  last_used_at: string | null
}

export type ProvisioningKey = {
  id: string
  label: string
  max_uses: number
  uses: number
  expires_at: string | null
  groups: string[]
  labels: { [key: string]: string }
  profile: string | null
  created_at: string
}

export type Group = {
  /** chosen once, never given again */
  id: string
  name: string
  description: string
  /** the group that it is in; null: none */
  parent: string | null
  created_at: string
}

export type Node = {
  /** first part of the keys of its values, `{id}/{field}` */
  id: string
  name: string
  created_at: string
}

export type ListedClient = {
  /** MQTT client identifier */
  id: string
  organisation: string
  connected: boolean
  /** that holds the connection; null: not known, or there is one only */
  process: string | null
  /** datacenter of that process */
  dc: string | null
  /** when it connected; if it is not connected: when that ended */
  since: string
  address: string | null
  mqtt: '3.1.1' | '5.0' | null
  username: string
  /** id of the device that it is */
  device: string | null
  /** seconds; 0: none */
  keep_alive: number | null
  /** seconds that the session outlives its connection */
  session_expiry: number
  /** messages that wait; null: nobody holds the session */
  queued: number | null
  /** messages sent and not acknowledged */
  inflight: number | null
  /** messages to it that were dropped, by reason, since its process has the session */
  dropped: { [key: string]: number } | null
  subscription_count: number
}

export type Client = {
  /** MQTT client identifier */
  id: string
  organisation: string
  connected: boolean
  /** that holds the connection; null: not known, or there is one only */
  process: string | null
  /** datacenter of that process */
  dc: string | null
  /** when it connected; if it is not connected: when that ended */
  since: string
  address: string | null
  mqtt: '3.1.1' | '5.0' | null
  username: string
  /** id of the device that it is */
  device: string | null
  /** seconds; 0: none */
  keep_alive: number | null
  /** seconds that the session outlives its connection */
  session_expiry: number
  /** messages that wait; null: nobody holds the session */
  queued: number | null
  /** messages sent and not acknowledged */
  inflight: number | null
  /** messages to it that were dropped, by reason, since its process has the session */
  dropped: { [key: string]: number } | null
  subscription_count: number
  /** the first 100 of them; all: `/v1/clients/{client}/subscriptions` */
  subscriptions: { filter: string; qos: number }[]
}

export type Command = {
  id: string
  /** id of the device */
  device: string
  batch: string | null
  name: string
  params: unknown
  state: 'queued' | 'sent' | 'delivered' | 'running' | 'succeeded' | 'failed' | 'rejected' | 'timed_out' | 'expired' | 'cancelled'
  ttl: number
  timeout: number
  retries: number
  one_way: boolean
  /** how often it was sent because of a timeout, and the first time; 0: not yet */
  attempt: number
  created_at: string
  created_by: string | null
  expires_at: string
  /** when this attempt was written to a connection of the device */
  sent_at: string | null
  /** when the device acknowledged it: its own PUBACK, not the broker's */
  delivered_at: string | null
  /** the device's newest word that it is at it */
  progress: { at: string; percent: number | null; message: string | null } | null
  ended_at: string | null
}

export type CommandBatch = {
  id: string
  name: string
  params: unknown
  /** what was asked for: devices, group or filter */
  target: unknown
  /** interrupted: its process ended; the same request with the same id goes on */
  state: 'making' | 'made' | 'interrupted'
  /** devices that have their command */
  made: number
  created_at: string
  created_by: string | null
  expires_at: string
}

export type Twin = {
  name: string
  /** what people want */
  desired: { [key: string]: unknown }
  /** counts the changes of desired; also the ETag */
  version: number
  /** what the device says */
  reported: { [key: string]: unknown }
  /** grows with each report */
  reported_version: number
  /** what is desired and not reported, which the device is told */
  delta: { [key: string]: unknown }
  /** there is no delta */
  in_sync: boolean
  updated_at: string | null
  updated_by: string | null
  reported_at: string | null
}

export type Point = {
  key: string
  /** milliseconds since 1970 */
  ts: number
  /** number, string, boolean, object or array */
  value: unknown
}

export type LatestOfDevice = {
  device: { id: string; name: string }
  values: {
    key: string
    /** milliseconds since 1970 */
    ts: number
    /** number, string, boolean, object or array */
    value: unknown
    /** how long ago that was when this was asked; below 0: its clock is ahead */
    age_ms: number
  }[]
}

/** A value; or with step the aggregates of one, without values count 0 and null */
export type HistoryItem = {
  key: string
  /** milliseconds since 1970; of a step: its beginning */
  ts: number
  /** without step: number, string, boolean, object or array */
  value?: unknown
  min?: number | null
  max?: number | null
  avg?: number | null
  sum?: number | null
  /** values of any type */
  count?: number
  first?: unknown
  last?: unknown
  /** within 1 % of the exact one */
  p95?: number | null
}

export type TelemetryImport = {
  /** read */
  rows: number
  /** stored; a value that is there already counts as well */
  values: number
  /** rows of which nothing was stored */
  refused: number
  /** of the first 100 refused rows */
  errors: {
    /** 1: the first one with values */
    row: number
    error: string
  }[]
}

export type EffectiveRetention = {
  key: string
  values_days: number
  /** of aggregates of minutes; null: there are none */
  minutes_days: number | null
  quarters_days: number | null
  /** which rule says so */
  reason: string
}

export type Presence = {
  device: { id: string; name: string }
  /** at least one of its clients is, by MQTT */
  connected: boolean
  /** false: the process that has the connection cannot be asked now, as behind a cut */
  confirmed: boolean
  /** of the last change; null: it never was connected */
  since: string | null
  /** why it is not connected any more; `server_lost`: its server is gone, when exactly is not known */
  reason: 'client_disconnected' | 'client_disconnected_with_will' | 'connection_lost' | 'keep_alive_timeout' | 'taken_over' | 'kicked' | 'credentials_revoked' | 'protocol_error' | 'quota_exceeded' | 'too_slow' | 'server_shutdown' | 'server_lost' | null
  /** its last data are younger than `active_window` */
  active: boolean
  /** seconds */
  active_window: number
  /** when it sent data last, by whatever way */
  last_activity: string | null
  /** the later of its last data and of the end of its last connection; now, if it is connected */
  last_seen: string | null
  /** those that are connected first; of the others the latest */
  clients: ClientPresence[]
}

export type ClientPresence = {
  client_id: string
  connected: boolean
  confirmed: boolean
  /** when it connected, or when that ended */
  since: string
  connected_at: string
  /** why it is not connected any more; `server_lost`: its server is gone, when exactly is not known */
  reason: 'client_disconnected' | 'client_disconnected_with_will' | 'connection_lost' | 'keep_alive_timeout' | 'taken_over' | 'kicked' | 'credentials_revoked' | 'protocol_error' | 'quota_exceeded' | 'too_slow' | 'server_shutdown' | 'server_lost' | null
  /** that has the connection, or had it; null: there is one only */
  process: string | null
  /** datacenter of that process */
  dc: string | null
  address: string | null
  mqtt: '3.1.1' | '5.0' | null
  /** seconds; 0: none */
  keep_alive: number | null
  clean_start: boolean | null
  /** seconds that the session outlives the connection */
  session_expiry: number | null
}

export type PresenceEvent = {
  at: string
  client_id: string
  connected: boolean
  /** why it is not connected any more; `server_lost`: its server is gone, when exactly is not known */
  reason: 'client_disconnected' | 'client_disconnected_with_will' | 'connection_lost' | 'keep_alive_timeout' | 'taken_over' | 'kicked' | 'credentials_revoked' | 'protocol_error' | 'quota_exceeded' | 'too_slow' | 'server_shutdown' | 'server_lost' | null
  /** how many it stands for: a client that comes and goes all the time is not written each time */
  changes: number
  /** that has the connection, or had it; null: there is one only */
  process: string | null
  /** datacenter of that process */
  dc: string | null
  address: string | null
  mqtt: '3.1.1' | '5.0' | null
  /** seconds; 0: none */
  keep_alive: number | null
  clean_start: boolean | null
  /** seconds that the session outlives the connection */
  session_expiry: number | null
}

export type Quotas = {
  /** null: as configured; 0: no limit */
  limits: {
    /** a day */
    requests: number | null
    /** a day */
    messages: number | null
    /** a day */
    points: number | null
    /** at a time */
    connections: number | null
    /** for which values are kept at most */
    storage_days: number | null
  }
  /** what holds; null: no limit */
  effective: {
    /** a day */
    requests: number | null
    /** a day */
    messages: number | null
    /** a day */
    points: number | null
    /** at a time */
    connections: number | null
    /** for which values are kept at most */
    storage_days: number | null
  }
  /** counts changes */
  version: number
}

export type RetentionOutput = {
  /** the first that fits counts, for values that come from now on; none: 90d with aggregates */
  rules: RetentionRuleOutput[]
}

export type RetentionRuleOutput = {
  /** of devices with this profile; null: of all */
  profile: string | null
  /** a key, or the beginning of keys and *; null: all */
  keys: string | null
  /** how long each value is kept after it was stored */
  values: '7d' | '90d' | '400d' | '5y'
  /** whether aggregates are kept: of minutes 400 days, of 15 minutes 1830 days */
  aggregates: boolean
}
