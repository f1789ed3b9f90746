"""Alerts on their way from the outbox to webhooks, each until it has arrived.

`sender` claims what is due, groups it and sends it, with `patience` where a receiver is down; `message`
says what an alert is about, `formats` writes it as JSON, for Slack and for Alertmanager, and `signature`
signs it; `post` is the HTTP request.
"""
