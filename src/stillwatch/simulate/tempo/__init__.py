"""When requests arrive: people, jobs, lessons and queues."""

from stillwatch.simulate.tempo.arrivals import Crew, Day, Pace, Plan, Tempo
from stillwatch.simulate.tempo.batch import Batch
from stillwatch.simulate.tempo.human import Human
from stillwatch.simulate.tempo.lesson import Lesson
from stillwatch.simulate.tempo.queue import Queue

__all__ = ["Batch", "Crew", "Day", "Human", "Lesson", "Pace", "Plan", "Queue", "Tempo"]
