import type { Noun } from '#scripts/rest/verb.ts'

export const schedules: Noun = {
  name: 'schedules',
  text: 'what is done to the fleet by itself: restarts, reinstallations, backups, drills',
  verbs: [
    {
      name: 'list',
      operation: 'listSchedules',
      example: '',
      columns: ['name', 'job', 'cron', 'timezone', 'enabled', 'overdue', 'last_success'],
    },
    { name: 'show', operation: 'getSchedule', example: 'daily-restart' },
    {
      name: 'put',
      operation: 'putSchedule',
      example: "daily-restart --job restart --cron '30 3 * * *' --timezone Europe/Berlin --overdue-after 26",
    },
    { name: 'delete', operation: 'deleteSchedule', example: 'daily-restart', done: 'deleted' },
    {
      name: 'runs',
      operation: 'listScheduleRuns',
      example: 'daily-restart --limit 7',
      columns: ['due', 'state', 'started_at', 'ended_at', 'note'],
      list: 'runs',
      empty: 'it was never due yet',
    },
    {
      name: 'calendar',
      operation: 'getCalendar',
      example: '--days 7',
      columns: ['due', 'schedule', 'job'],
      list: 'calendar',
      empty: 'nothing is due in these days',
    },
  ],
}
