#ifndef MODES_H
#define MODES_H

void mode_flow(void);      // publishers -> subscribers: rate, latency, lost / duplicated / reordered
void mode_conn(void);      // opens connections and holds them: connects a second, memory of one
void mode_churn(void);     // connect, CONNACK, disconnect, over and over
void mode_retain(void);    // stores retained messages, then new subscribers take all of them
void mode_session(void);   // persistent sessions: subscribe, leave, messages are queued, come back, count
void mode_telemetry(void); // devices publish JSON points; what counts is the acknowledgement

#endif
