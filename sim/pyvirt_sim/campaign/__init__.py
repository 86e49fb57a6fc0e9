"""Searches too long for one process: cut into chunks, run anywhere, kept in a store."""

from pyvirt_sim.campaign.chunk import Catch as Catch
from pyvirt_sim.campaign.chunk import Chunk as Chunk
from pyvirt_sim.campaign.chunk import ChunkResult as ChunkResult
from pyvirt_sim.campaign.chunk import search as search
from pyvirt_sim.campaign.plan import Plan as Plan
from pyvirt_sim.campaign.results import ResultFile as ResultFile
from pyvirt_sim.campaign.results import StoreError as StoreError
from pyvirt_sim.campaign.results import write_whole as write_whole
from pyvirt_sim.campaign.store import Store as Store
from pyvirt_sim.campaign.summary import SubjectSummary as SubjectSummary
from pyvirt_sim.campaign.summary import summarize as summarize
from pyvirt_sim.campaign.workers import run_all as run_all
